//! Whether two records are one person, with a score and its reasons.

use jiff::civil::Date;

use super::names::{Family, Given, Name, Suffix};
use crate::domain::{Field, Fields};

/// What a person is recognised by.
#[derive(Clone)]
pub struct Identity {
    name: Name,
    email: Option<String>,
    phone: Option<String>,
    born: Option<Date>,
}

/// What comparing two people found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They are one person: link them.
    Same,
    /// A person must say.
    Unclear,
    /// They are two people.
    Different,
}

/// Two people compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// What it comes to.
    pub verdict: Verdict,
    /// How likely they are one person, in per mille.
    pub score: u16,
    /// What speaks for it and what against, in words that name no person.
    pub reasons: Vec<String>,
    /// Whether something says that they are two people, however much else is the same.
    pub contradicts: bool,
}

/// Points are the binary logarithm of how much likelier an agreement is for one person than for two who share a
/// contact detail. This many say that two records are one person.
const SAME: f64 = 11.0;
/// Below this many they are two.
const UNCLEAR: f64 = 1.0;
/// The points at which one is as likely as the other.
const EVEN: f64 = 4.0;

/// Evidence as it is gathered.
#[derive(Default)]
struct Evidence {
    points: f64,
    reasons: Vec<String>,
    /// No more than a person's decision can come of it.
    is_capped: bool,
    is_contradicted: bool,
    /// They are two people.
    is_refuted: bool,
}

impl Evidence {
    fn add(&mut self, points: f64, reason: &str) {
        self.points += points;
        self.reasons.push(format!("{reason} ({points:+})"));
    }

    /// What leaves a doubt that nothing else removes: brothers and sisters share everything but their given names.
    fn doubt(&mut self, points: f64, reason: &str) {
        self.add(points, reason);
        self.is_capped = true;
    }

    fn contradict(&mut self, points: f64, reason: &str) {
        self.doubt(points, reason);
        self.is_contradicted = true;
    }

    fn refute(&mut self, reason: &str) {
        self.contradict(-12.0, reason);
        self.is_refuted = true;
    }
}

impl Identity {
    /// What these fields tell.
    pub fn of(fields: &Fields) -> Self {
        let value = |field| fields.get(field).map(str::to_owned);
        let born = fields.get(Field::DateOfBirth).and_then(|born| born.parse().ok());
        Self { name: Name::of(fields), email: value(Field::Email), phone: value(Field::Phone), born }
    }

    /// Compares with another. Nothing but a shared e-mail or phone makes two records comparable at all.
    ///
    /// | evidence | points |
    /// |---|---|
    /// | e-mail | same +7, other −1 and never certain without the same date of birth |
    /// | phone | same +4, other −0.5 (people have two) |
    /// | given name | same +5; two letters swapped, short form, middle name more +3; alike +1, but never certain: so are twins' |
    /// | family name | same +3, slip or part more +2, other −6 |
    /// | date of birth | same +5, a slip away −1, other −8 and never certain |
    /// | one of them is called Jr., Sr. or the like | −2 |
    ///
    /// Other given names, or Jr. against Sr., are two people whatever else they share.
    pub fn compare(&self, other: &Self) -> Comparison {
        let mut evidence = Evidence::default();
        let is_sharing = self.contact(other, &mut evidence);
        let is_born_same = self.birthday(other, &mut evidence);
        // A father and his son of one name have one telephone and two mailboxes.
        let has_other_email = self.email.is_some() && other.email.is_some() && self.email != other.email;
        evidence.is_capped |= has_other_email && !is_born_same;
        // Many people have one name.
        evidence.is_refuted = !is_sharing && !is_born_same;
        self.names(other, is_born_same, &mut evidence);
        evidence.verdict()
    }

    /// Whether they share an e-mail or a phone.
    fn contact(&self, other: &Self, evidence: &mut Evidence) -> bool {
        match (&self.email, &other.email) {
            (Some(one), Some(two)) if one == two => evidence.add(7.0, "same e-mail"),
            (Some(_), Some(_)) => evidence.add(-1.0, "other e-mail"),
            _ => {}
        }
        match (&self.phone, &other.phone) {
            (Some(one), Some(two)) if one == two => evidence.add(4.0, "same phone"),
            (Some(_), Some(_)) => evidence.add(-0.5, "other phone"),
            _ => {}
        }
        let is_same = |one: &Option<String>, two: &Option<String>| one.is_some() && one == two;
        is_same(&self.email, &other.email) || is_same(&self.phone, &other.phone)
    }

    fn birthday(&self, other: &Self, evidence: &mut Evidence) -> bool {
        match (self.born, other.born) {
            (Some(one), Some(two)) if one == two => {
                evidence.add(5.0, "same date of birth");
                return true;
            }
            (Some(one), Some(two)) if is_slip(one, two) => evidence.add(-1.0, "date of birth a slip away"),
            (Some(_), Some(_)) => evidence.contradict(-8.0, "other date of birth"),
            _ => {}
        }
        false
    }

    fn names(&self, other: &Self, is_born_same: bool, evidence: &mut Evidence) {
        let given = self.name.given(&other.name);
        let family = self.name.family(&other.name);
        let swapped = other.name.swapped();
        if given != Given::Same
            && self.name.given(&swapped) == Given::Same
            && self.name.family(&swapped) == Family::Same
        {
            evidence.add(7.0, "same names, given and family name exchanged");
            return;
        }
        match given {
            Given::Same => evidence.add(5.0, "same given name"),
            Given::Nickname => evidence.add(3.0, "short form of the given name"),
            Given::Transposed => evidence.add(3.0, "given name with two letters swapped"),
            Given::Part => evidence.add(3.0, "given name with a middle name more"),
            Given::Alike => evidence.doubt(1.0, "given names alike"),
            Given::SameFirstOnly => evidence.contradict(0.0, "same given name, other middle name"),
            Given::Initial if is_born_same => evidence.add(1.0, "initial of the given name"),
            Given::Initial => evidence.doubt(1.0, "initial of the given name"),
            Given::Missing if is_born_same => evidence.add(0.0, "a given name is missing"),
            Given::Missing => evidence.doubt(0.0, "a given name is missing"),
            Given::Different => evidence.refute("other given name"),
        }
        match family {
            Family::Same => evidence.add(3.0, "same family name"),
            Family::Part => evidence.add(2.0, "family name with a part more"),
            Family::Alike => evidence.add(2.0, "family names alike"),
            Family::Missing => evidence.add(0.0, "a family name is missing"),
            Family::Different => evidence.add(-6.0, "other family name"),
        }
        match self.name.suffix(&other.name) {
            Suffix::Same => {}
            Suffix::OneOnly => evidence.add(-2.0, "one is called Jr., Sr. or the like"),
            Suffix::Different => evidence.refute("Jr. against Sr."),
        }
    }
}

impl Evidence {
    fn verdict(self) -> Comparison {
        let verdict = if self.is_refuted || self.points < UNCLEAR {
            Verdict::Different
        } else if self.is_capped || self.points < SAME {
            Verdict::Unclear
        } else {
            Verdict::Same
        };
        let certain = 1.0 / (1.0 + (EVEN - SAME).exp2());
        let likely = 1.0 / (1.0 + (EVEN - self.points).exp2());
        // What is not certain is never shown as if it were.
        let shown = if verdict == Verdict::Same { likely } else { likely.min(certain - 0.003) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
        let score = (shown.max(0.0) * 1000.0).round() as u16;
        Comparison { verdict, score, reasons: self.reasons, contradicts: self.is_contradicted }
    }
}

/// One digit or pair of digits wrong, or day and month exchanged.
fn is_slip(one: Date, two: Date) -> bool {
    let (a, b) = (one.to_string(), two.to_string());
    let wrong = a.chars().zip(b.chars()).filter(|(a, b)| a != b).count();
    let is_exchanged = one.year() == two.year() && (one.month(), one.day()) == (two.day(), two.month());
    wrong <= 1 || is_exchanged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(text: &str) -> Identity {
        let mut parts = text.split('|').map(str::trim);
        let mut next = || parts.next().unwrap_or_default();
        let fields = Fields::default()
            .with(Field::FirstName, next())
            .with(Field::LastName, next())
            .with(Field::Email, next())
            .with(Field::Phone, next())
            .with(Field::DateOfBirth, next());
        Identity::of(&fields)
    }

    #[test]
    fn certain_matches_link_clear_differences_create_and_the_rest_waits() {
        use Verdict::{Different, Same, Unclear};
        #[rustfmt::skip]
        let table = [
            ("name and e-mail", "Ada|Byron|a@x.co|", "Ada|Byron|a@x.co|", Same),
            ("name and phone, an e-mail missing", "Ada|Byron||5125550100", "Ada|Byron|a@x.co|5125550100", Same),
            ("name and phone, two e-mails, as father and son", "Ada|Byron|b@x.co|5125550100", "Ada|Byron|a@x.co|5125550100", Unclear),
            ("the same with a birthday, two e-mails", "Ada|Byron|b@x.co|5125550100|1990-01-02", "Ada|Byron|a@x.co|5125550100|1990-01-02", Same),
            ("name and e-mail, two numbers", "Ada|Byron|a@x.co|5125550100", "Ada|Byron|a@x.co|5125550199", Same),
            ("a last name missing, same e-mail", "Ada||a@x.co|", "Ada|Byron|a@x.co|", Same),
            ("a last name missing, same phone only", "Ada|||5125550100", "Ada|Byron||5125550100", Unclear),
            ("a short form, same e-mail", "Bob|Hall|a@x.co|", "Robert|Hall|a@x.co|", Same),
            ("a short form, same phone only", "Bob|Hall||5125550100", "Robert|Hall||5125550100", Unclear),
            ("a slip in the last name", "Ana|Gonzales||5125550100", "Ana|Gonzalez||5125550100", Same),
            ("swapped letters, same e-mail", "Jonh|Hall|a@x.co|", "John|Hall|a@x.co|", Same),
            ("names exchanged", "Byron|Ada|a@x.co|", "Ada|Byron|a@x.co|", Same),
            ("another last name, as after a marriage", "Ada|King|a@x.co|5125550100", "Ada|Byron|a@x.co|5125550100", Unclear),
            ("the same with a birthday", "Ada|King|a@x.co|5125550100|1990-01-02", "Ada|Byron|a@x.co|5125550100|1990-01-02", Same),
            ("no name", "||a@x.co|5125550100", "Ada|Byron|a@x.co|5125550100", Unclear),
            ("a shared family phone", "Ada|Byron||5125550100", "Ralph|Byron||5125550100", Different),
            ("a shared family phone and e-mail", "Ada|Byron|a@x.co|5125550100", "Ralph|Byron|a@x.co|5125550100", Different),
            ("twins", "Ada|Byron|a@x.co|5125550100|1990-01-02", "Ralph|Byron|a@x.co|5125550100|1990-01-02", Different),
            ("twins with names alike", "Jayden|Lee|a@x.co|5125550100|2001-01-02", "Kayden|Lee|a@x.co|5125550100|2001-01-02", Unclear),
            ("sisters", "Maria Elena|Diaz||5125550100", "Maria Isabel|Diaz||5125550100", Unclear),
            ("father and son", "Luis|Diaz Sr|a@x.co|5125550100", "Luis|Diaz Jr|a@x.co|5125550100", Different),
            ("father and son by birthday", "Luis|Diaz|a@x.co|5125550100|1960-05-01", "Luis|Diaz|a@x.co|5125550100|1990-11-23", Unclear),
            ("a slip in the birthday", "Luis|Diaz|a@x.co||1960-05-01", "Luis|Diaz|a@x.co||1960-05-07", Same),
            ("an initial", "L|Diaz|a@x.co|5125550100", "Luis|Diaz|a@x.co|5125550100", Unclear),
            ("only a first name in common", "Ada|King||5125550100", "Ada|Byron||5125550100", Unclear),
            ("nothing but the name", "Ada|Byron|a@x.co|", "Ada|Byron|b@x.co|", Different),
        ];
        for (what, one, two, expected) in table {
            let found = person(one).compare(&person(two));
            assert_eq!(found.verdict, expected, "{what}: {found:?}");
            let back = person(two).compare(&person(one));
            assert_eq!(
                (back.verdict, back.score),
                (found.verdict, found.score),
                "{what}, the other way round"
            );
            assert_eq!(found.score >= 990, expected == Same, "{what}: {found:?}");
        }
    }

    #[test]
    fn reasons_name_no_person() {
        let found = person("Ada|Byron|a@x.co|").compare(&person("Ada|King|a@x.co|"));
        assert_eq!(found.reasons, ["same e-mail (+7)", "same given name (+5)", "other family name (-6)"]);
    }
}
