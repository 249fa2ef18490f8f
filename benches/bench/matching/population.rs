//! A population as two offices know it: families, shared phones, twins, fathers and sons of one name, short names,
//! slips of the finger, missing and second contact details. The matching was not tuned on it: its names, its noise and
//! its seeds are its own.

use std::collections::BTreeSet;

/// A record of one office, and whose it truly is.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    pub truth: usize,
    pub first: String,
    pub last: String,
    pub email: String,
    pub phone: String,
    pub born: String,
}

/// What the two offices have.
#[derive(Default)]
pub struct Population {
    pub highlevel: Vec<Entry>,
    pub casepeer: Vec<Entry>,
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers from the same seed, everywhere.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// True in so many of a thousand cases.
    pub fn per_mille(&mut self, cases: u64) -> bool {
        self.next() % 1000 < cases
    }

    pub fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

const MEN: &[&str] = &[
    "James",
    "Robert",
    "John",
    "Michael",
    "David",
    "William",
    "Richard",
    "Joseph",
    "Thomas",
    "Christopher",
    "Daniel",
    "Matthew",
    "Anthony",
    "Mark",
    "Donald",
    "Steven",
    "Andrew",
    "Kenneth",
    "Joshua",
    "Kevin",
    "Brian",
    "Timothy",
    "Ronald",
    "Jason",
    "Edward",
    "Jeffrey",
    "Ryan",
    "Jacob",
    "Nicholas",
    "Gary",
    "Eric",
    "Jonathan",
    "Stephen",
    "Larry",
    "Justin",
    "Scott",
    "Brandon",
    "Benjamin",
    "Samuel",
    "Gregory",
    "Alexander",
    "Patrick",
    "Frank",
    "Raymond",
    "Jack",
    "Dennis",
    "Jerry",
    "Tyler",
    "Aaron",
    "Jose",
    "Adam",
    "Nathan",
    "Henry",
    "Zachary",
    "Douglas",
    "Peter",
    "Kyle",
    "Juan",
    "Carlos",
    "Luis",
    "Jorge",
    "Miguel",
    "Francisco",
    "Jesus",
    "Ricardo",
    "Eduardo",
    "Alejandro",
    "Fernando",
    "Manuel",
    "Hector",
    "Diego",
    "Rafael",
    "Oscar",
    "Victor",
    "Mario",
    "Marcus",
    "Jamal",
    "Darnell",
    "Tyrone",
    "Wei",
    "Minh",
    "Hung",
    "Raj",
    "Amit",
    "Ahmed",
    "Omar",
    "Ivan",
    "Dmitri",
    "Jayden",
    "Liam",
    "Noah",
    "Mason",
    "Ethan",
];

const WOMEN: &[&str] = &[
    "Mary",
    "Patricia",
    "Jennifer",
    "Linda",
    "Elizabeth",
    "Barbara",
    "Susan",
    "Jessica",
    "Sarah",
    "Karen",
    "Lisa",
    "Nancy",
    "Betty",
    "Margaret",
    "Sandra",
    "Ashley",
    "Kimberly",
    "Emily",
    "Donna",
    "Michelle",
    "Carol",
    "Amanda",
    "Dorothy",
    "Melissa",
    "Deborah",
    "Stephanie",
    "Rebecca",
    "Sharon",
    "Laura",
    "Cynthia",
    "Kathleen",
    "Amy",
    "Angela",
    "Shirley",
    "Anna",
    "Brenda",
    "Pamela",
    "Emma",
    "Nicole",
    "Helen",
    "Samantha",
    "Katherine",
    "Christine",
    "Debra",
    "Rachel",
    "Carolyn",
    "Janet",
    "Catherine",
    "Maria",
    "Heather",
    "Diane",
    "Ruth",
    "Julie",
    "Olivia",
    "Joyce",
    "Virginia",
    "Victoria",
    "Kelly",
    "Lauren",
    "Christina",
    "Joan",
    "Evelyn",
    "Judith",
    "Guadalupe",
    "Rosa",
    "Carmen",
    "Juana",
    "Gabriela",
    "Alejandra",
    "Leticia",
    "Veronica",
    "Yolanda",
    "Silvia",
    "Adriana",
    "Latoya",
    "Keisha",
    "Mei",
    "Linh",
    "Priya",
    "Fatima",
    "Olga",
    "Svetlana",
    "Sophia",
    "Isabella",
    "Mia",
    "Ava",
    "Kaylee",
    "Madison",
];

const FAMILIES: &[&str] = &[
    "Smith",
    "Johnson",
    "Williams",
    "Brown",
    "Jones",
    "Garcia",
    "Miller",
    "Davis",
    "Rodriguez",
    "Martinez",
    "Hernandez",
    "Lopez",
    "Gonzalez",
    "Wilson",
    "Anderson",
    "Thomas",
    "Taylor",
    "Moore",
    "Jackson",
    "Martin",
    "Lee",
    "Perez",
    "Thompson",
    "White",
    "Harris",
    "Sanchez",
    "Clark",
    "Ramirez",
    "Lewis",
    "Robinson",
    "Walker",
    "Young",
    "Allen",
    "King",
    "Wright",
    "Scott",
    "Torres",
    "Nguyen",
    "Hill",
    "Flores",
    "Green",
    "Adams",
    "Nelson",
    "Baker",
    "Hall",
    "Rivera",
    "Campbell",
    "Mitchell",
    "Carter",
    "Roberts",
    "Gomez",
    "Phillips",
    "Evans",
    "Turner",
    "Diaz",
    "Parker",
    "Cruz",
    "Edwards",
    "Collins",
    "Reyes",
    "Stewart",
    "Morris",
    "Morales",
    "Murphy",
    "Cook",
    "Rogers",
    "Gutierrez",
    "Ortiz",
    "Morgan",
    "Cooper",
    "Peterson",
    "Bailey",
    "Reed",
    "Kelly",
    "Howard",
    "Ramos",
    "Kim",
    "Cox",
    "Ward",
    "Richardson",
    "Watson",
    "Brooks",
    "Chavez",
    "Wood",
    "James",
    "Bennett",
    "Gray",
    "Mendoza",
    "Ruiz",
    "Hughes",
    "Price",
    "Alvarez",
    "Castillo",
    "Sanders",
    "Patel",
    "Myers",
    "Long",
    "Ross",
    "Foster",
    "Jimenez",
    "O'Connor",
    "McDonald",
    "Van Buren",
    "De la Cruz",
    "Tran",
    "Pham",
    "Petrov",
    "Haddad",
    "Okafor",
    "Washington",
];

/// What twins are also called.
const ALIKE: &[(&str, &str)] = &[
    ("Jayden", "Kayden"),
    ("Maria", "Mariah"),
    ("Eric", "Erica"),
    ("Daniel", "Danielle"),
    ("Juan", "Juana"),
    ("Brian", "Brianna"),
    ("Ana", "Anna"),
    ("Madison", "Mason"),
    ("Mateo", "Matias"),
    ("Taylor", "Tyler"),
    ("Carlos", "Carla"),
    ("Hailey", "Kailey"),
    ("Jose", "Josefa"),
    ("Ella", "Bella"),
    ("Jaden", "Jaiden"),
    ("Francisco", "Francisca"),
    ("Marco", "Marcos"),
    ("Jada", "Jade"),
    ("Adrian", "Adriana"),
    ("Alexis", "Alexia"),
];

const SHORT: &[(&str, &[&str])] = &[
    ("James", &["Jim", "Jimmy"]),
    ("Robert", &["Bob", "Rob", "Bobby"]),
    ("John", &["Jack", "Johnny"]),
    ("Michael", &["Mike", "Mikey"]),
    ("David", &["Dave"]),
    ("William", &["Bill", "Will", "Billy"]),
    ("Richard", &["Rick", "Dick"]),
    ("Joseph", &["Joe", "Joey"]),
    ("Thomas", &["Tom", "Tommy"]),
    ("Christopher", &["Chris"]),
    ("Daniel", &["Dan", "Danny"]),
    ("Matthew", &["Matt"]),
    ("Anthony", &["Tony"]),
    ("Andrew", &["Andy", "Drew"]),
    ("Joshua", &["Josh"]),
    ("Edward", &["Ed", "Eddie"]),
    ("Nicholas", &["Nick"]),
    ("Samuel", &["Sam"]),
    ("Gregory", &["Greg"]),
    ("Alexander", &["Alex"]),
    ("Benjamin", &["Ben"]),
    ("Jose", &["Pepe"]),
    ("Francisco", &["Paco", "Pancho"]),
    ("Jesus", &["Chuy"]),
    ("Manuel", &["Manny"]),
    ("Patricia", &["Pat", "Patty", "Trish"]),
    ("Jennifer", &["Jen", "Jenny"]),
    ("Elizabeth", &["Liz", "Beth", "Betsy"]),
    ("Barbara", &["Barb"]),
    ("Susan", &["Sue"]),
    ("Margaret", &["Peggy", "Maggie"]),
    ("Kimberly", &["Kim"]),
    ("Deborah", &["Debbie"]),
    ("Rebecca", &["Becky"]),
    ("Katherine", &["Kathy", "Kate"]),
    ("Samantha", &["Sam"]),
    ("Christina", &["Tina", "Chris"]),
    ("Christine", &["Chris"]),
    ("Victoria", &["Vicky"]),
    ("Guadalupe", &["Lupe"]),
    ("Alejandra", &["Ale"]),
    ("Gabriela", &["Gaby"]),
    ("Stephanie", &["Steph"]),
    ("Veronica", &["Vero"]),
];

/// Somebody, as they are.
#[derive(Clone, Default)]
struct Somebody {
    first: String,
    middle: String,
    last: String,
    second_last: String,
    suffix: &'static str,
    email: String,
    other_email: String,
    phone: String,
    other_phone: String,
    born: (i16, i8, i8),
}

/// So many people, in families, of whom half are known to both offices and the rest to one.
pub fn population(people: usize, seed: u64) -> Population {
    let mut chance = Chance(seed);
    let mut population = Population::default();
    // Shelters, employers and the like, whose number many give.
    let desks: Vec<String> = (0..people.div_ceil(200)).map(|_| number(&mut chance)).collect();
    let mut truth = 0;
    while truth < people {
        for mut somebody in family(&mut chance) {
            if chance.per_mille(25) {
                somebody.phone.clone_from(&desks[chance.below(desks.len())]);
            }
            let (in_highlevel, in_casepeer) = match chance.below(4) {
                0 => (true, false),
                1 => (false, true),
                _ => (true, true),
            };
            if in_highlevel {
                population.highlevel.push(as_written(&somebody, truth, true, &mut chance));
            }
            if in_casepeer {
                population.casepeer.push(as_written(&somebody, truth, false, &mut chance));
            }
            truth += 1;
        }
    }
    population
}

fn number(chance: &mut Chance) -> String {
    format!("+1512{:07}", 2_000_000 + chance.below(7_999_999))
}

fn family(chance: &mut Chance) -> Vec<Somebody> {
    let size = [1, 1, 1, 1, 2, 2, 2, 3, 4, 5][chance.below(10)];
    let last = chance.of(FAMILIES).to_owned();
    let (phone, email) =
        (number(chance), format!("the{}{}@mail.example", plain(&last), chance.below(100_000)));
    let mut members: Vec<Somebody> = Vec::new();
    let mut taken = BTreeSet::new();
    for place in 0..size {
        let is_child = place >= 2;
        let is_man = if is_child { chance.per_mille(500) } else { place == 0 };
        let mut first = chance.of(if is_man { MEN } else { WOMEN });
        while !taken.insert(first) {
            first = chance.of(if is_man { MEN } else { WOMEN });
        }
        let year = if is_child { 1992 + chance.below(22) } else { 1940 + chance.below(55) };
        let born = (i16::try_from(year).unwrap(), day(chance, 12), day(chance, 28));
        let own_last =
            if place == 1 && chance.per_mille(250) { chance.of(FAMILIES).to_owned() } else { last.clone() };
        let mut one = Somebody {
            first: first.into(),
            middle: if chance.per_mille(400) {
                chance.of(if is_man { MEN } else { WOMEN }).into()
            } else {
                String::new()
            },
            second_last: if chance.per_mille(250) { chance.of(FAMILIES).into() } else { String::new() },
            email: format!("{}.{}{}@mail.example", plain(first), plain(&own_last), chance.below(1_000_000)),
            other_email: format!("{}{}@other.example", plain(first), chance.below(10_000_000)),
            phone: number(chance),
            other_phone: number(chance),
            last: own_last,
            suffix: "",
            born,
        };
        if chance.per_mille(if is_child { 700 } else { 300 }) {
            one.phone.clone_from(&phone);
        }
        if chance.per_mille(if is_child { 400 } else { 80 }) {
            one.email.clone_from(&email);
        }
        members.push(one);
    }
    name_children(&mut members, chance);
    members
}

/// Twins, and sons who are called as their fathers.
fn name_children(members: &mut [Somebody], chance: &mut Chance) {
    if members.len() >= 4 && chance.per_mille(150) {
        members[3].born = members[2].born;
        if chance.per_mille(400) {
            let (one, other) = ALIKE[chance.below(ALIKE.len())];
            members[2].first = one.into();
            members[3].first = other.into();
        }
    }
    if members.len() >= 3 && chance.per_mille(40) {
        members[2].first = members[0].first.clone();
        members[2].middle = members[0].middle.clone();
        members[2].last = members[0].last.clone();
        members[2].second_last = members[0].second_last.clone();
        (members[0].suffix, members[2].suffix) = ("Sr.", "Jr.");
    }
}

fn day(chance: &mut Chance, most: usize) -> i8 {
    i8::try_from(1 + chance.below(most)).unwrap()
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

/// How one office wrote somebody down. A form fills HighLevel, a person at a desk CASEpeer.
fn as_written(one: &Somebody, truth: usize, is_form: bool, chance: &mut Chance) -> Entry {
    let mut first = one.first.clone();
    let short = SHORT.iter().find(|(full, _)| *full == first).map(|(_, short)| *short);
    match short {
        Some(short) if chance.per_mille(80) => first = chance.of(short).into(),
        _ if !one.middle.is_empty() && chance.per_mille(50) => first = format!("{first} {}", one.middle),
        _ if !one.middle.is_empty() && chance.per_mille(60) => {
            first = format!("{first} {}.", &one.middle[..1])
        }
        _ if chance.per_mille(8) => first = first[..1].to_owned(),
        _ => {}
    }
    if chance.per_mille(20) {
        first = slip(&first, chance);
    }
    let mut last = one.last.clone();
    if !one.second_last.is_empty() && chance.per_mille(200) {
        last = format!("{last}{}{}", if chance.per_mille(500) { "-" } else { " " }, one.second_last);
    }
    if chance.per_mille(20) {
        last = slip(&last, chance);
    }
    if chance.per_mille(8) {
        last = chance.of(FAMILIES).into();
    }
    if !one.suffix.is_empty() && chance.per_mille(500) {
        last = format!("{last} {}", one.suffix);
    }
    if chance.per_mille(if is_form { 60 } else { 5 }) {
        last.clear();
    }
    if chance.per_mille(if is_form { 15 } else { 2 }) {
        first.clear();
    }
    if chance.per_mille(8) {
        std::mem::swap(&mut first, &mut last);
    }
    if chance.per_mille(if is_form { 150 } else { 30 }) {
        (first, last) = (first.to_uppercase(), last.to_uppercase());
    }
    let mut email = if chance.per_mille(80) { one.other_email.clone() } else { one.email.clone() };
    if chance.per_mille(12) {
        email = slip(&email, chance);
    }
    let mut phone = if chance.per_mille(80) { one.other_phone.clone() } else { one.phone.clone() };
    if chance.per_mille(10) {
        let at = 6 + chance.below(6);
        phone.replace_range(at..=at, &chance.below(10).to_string());
    }
    if chance.per_mille(if is_form { 200 } else { 450 }) {
        email.clear();
    }
    if chance.per_mille(if is_form { 120 } else { 40 }) && !email.is_empty() {
        phone.clear();
    }
    let mut born = String::new();
    if chance.per_mille(if is_form { 200 } else { 650 }) {
        let (mut year, mut month, mut day) = one.born;
        match chance.below(100) {
            0 if day <= 12 => (month, day) = (day, month),
            1 => day = 1 + (day + 1) % 28,
            2 => year += 10,
            _ => {}
        }
        born = format!("{year:04}-{month:02}-{day:02}");
    }
    Entry { truth, first, last, email, phone, born }
}

/// A letter too many, too few, wrong or exchanged.
fn slip(text: &str, chance: &mut Chance) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.len() < 3 {
        return text.to_owned();
    }
    let at = 1 + chance.below(letters.len() - 2);
    let letter = char::from(b'a' + u8::try_from(chance.below(26)).unwrap());
    match chance.below(4) {
        0 => letters.insert(at, letter),
        1 => drop(letters.remove(at)),
        2 => letters[at] = letter,
        _ => letters.swap(at, at + 1),
    }
    letters.into_iter().collect()
}
