//! The repository itself: layers, lengths, leftovers, and the files that are made from code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use casebridge::http;

/// The longest file: one that is longer has parts with names of their own.
const LONGEST_FILE: usize = 400;
/// Files that may be longer, each with the reason.
const LONGER_FILES: &[(&str, &str)] = &[];

/// What a module that decides may not mention: no input, no output, no clock, no chance.
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "axum",
    "rusqlite",
    "std::fs",
    "std::env",
    "std::net",
    "SystemTime",
    "Instant",
    "getrandom",
    "async fn",
    ".await",
];

/// What the twin may not use, wherever it stands in the order: it plays the vendors, who know nothing of how the bridge
/// decides, stores or answers.
const HIDDEN_FROM_TWIN: &[&str] = &["bridge", "plan", "store", "http"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
pub(crate) fn source(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every Rust file under a folder, as paths from the top.
pub(crate) fn rust_files(folder: &str) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.ends_with(".rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// A module's place: modules that stand together in `src/lib.rs` share a level and do not use each other.
struct Layers {
    levels: BTreeMap<String, usize>,
    pure: BTreeSet<String>,
}

/// Reads the layers from `src/lib.rs`: levels are separated by empty lines, and `// Shell.` ends the pure ones.
fn layers() -> Layers {
    let (mut levels, mut pure) = (BTreeMap::new(), BTreeSet::new());
    let (mut level, mut is_pure) = (0, true);
    for line in source("src/lib.rs").lines() {
        if line.is_empty() {
            level += 1;
        } else if line == "// Shell." {
            is_pure = false;
        } else if let Some(name) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            levels.insert(name.to_owned(), level);
            if is_pure {
                pure.insert(name.to_owned());
            }
        }
    }
    assert!(
        levels.len() > 10 && pure.contains("plan") && !pure.contains("store"),
        "src/lib.rs is read wrongly"
    );
    Layers { levels, pure }
}

/// The top-level module a file belongs to; none for `lib.rs` and `main.rs`.
fn module_of(file: &str) -> Option<&str> {
    let inside = file.strip_prefix("src/")?;
    let name = inside.split('/').next()?;
    let name = name.strip_suffix(".rs").unwrap_or(name);
    (!matches!(name, "lib" | "main")).then_some(name)
}

/// The lines that are code, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The top-level modules that a text names after `crate::`, `{…}` included.
fn used_modules(text: &str) -> BTreeSet<String> {
    let code: String = code(text).map(|(_, line)| format!("{line}\n")).collect();
    let mut used = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            used.extend(first_word(rest));
            continue;
        };
        let (mut depth, mut item) = (0_usize, String::new());
        for letter in group.chars() {
            match letter {
                '}' if depth == 0 => break,
                ',' if depth == 0 => used.extend(first_word(std::mem::take(&mut item).trim())),
                _ => {
                    depth = depth + usize::from(letter == '{') - usize::from(letter == '}');
                    item.push(letter);
                }
            }
        }
        used.extend(first_word(item.trim()));
    }
    used
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// `super::` far enough up to leave the top-level module is `crate::` by another name.
fn climbs_out(file: &str, line: &str, levels: &BTreeMap<String, usize>) -> Option<String> {
    let folders = file.matches('/').count();
    let depth = if file.ends_with("/mod.rs") { folders - 1 } else { folders };
    let climb = "super::".repeat(depth);
    let (_, rest) = line.split_once(&climb)?;
    let module = first_word(rest)?;
    (depth > 0 && levels.contains_key(&module) && rest.starts_with(&format!("{module}::"))).then_some(module)
}

#[test]
fn each_module_uses_only_those_above_it() {
    let layers = layers();
    let mut wrong = Vec::new();
    for file in rust_files("src") {
        let Some(module) = module_of(&file) else { continue };
        let text = source(&file);
        let Some(level) = layers.levels.get(module) else {
            wrong.push(format!("{file}: src/lib.rs does not list `{module}`"));
            continue;
        };
        let climbed = code(&text).filter_map(|(_, line)| climbs_out(&file, line, &layers.levels));
        for used in used_modules(&text).into_iter().chain(climbed) {
            let is_above = layers.levels.get(&used).is_some_and(|of_used| of_used < level);
            let is_hidden = module == "twin" && HIDDEN_FROM_TWIN.contains(&used.as_str());
            if used != module && (!is_above || is_hidden) {
                wrong.push(format!("{file}: uses `{used}`"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn what_decides_has_no_input_output_or_clock() {
    let layers = layers();
    let mut wrong = Vec::new();
    for file in rust_files("src") {
        if !module_of(&file).is_some_and(|module| layers.pure.contains(module)) {
            continue;
        }
        for (number, line) in code(&source(&file)) {
            for word in IMPURE {
                if mentions(line, word) {
                    wrong.push(format!("{file}:{number}: {word}"));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Whether a word stands in a line, not only as a part of another word.
fn mentions(line: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        (word.starts_with('.') || !before.is_some_and(is_part)) && !after.is_some_and(is_part)
    })
}

#[test]
fn no_file_is_long() {
    let found: Vec<(String, usize)> = rust_files("src")
        .into_iter()
        .map(|file| (file.clone(), source(&file).lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .collect();
    let is_allowed = |file: &str| LONGER_FILES.iter().any(|(allowed, _)| *allowed == file);
    let too_long: Vec<_> = found.iter().filter(|(file, _)| !is_allowed(file)).collect();
    assert!(too_long.is_empty(), "over {LONGEST_FILE} lines: {too_long:?}");
    let is_long = |file: &str| found.iter().any(|(long, _)| long == file);
    let needless: Vec<_> = LONGER_FILES.iter().filter(|(file, _)| !is_long(file)).collect();
    assert!(needless.is_empty(), "no longer over {LONGEST_FILE} lines: {needless:?}");
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not hold what it looks for.
    let leftovers = [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("#[ig", "nore")];
    let mut wrong = Vec::new();
    for file in rust_files("src").into_iter().chain(rust_files("tests")) {
        for (number, line) in code(&source(&file)) {
            for leftover in leftovers.iter().filter(|leftover| line.contains(**leftover)) {
                wrong.push(format!("{file}:{number}: {leftover}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Documentation tests are off (`Cargo.toml`), so that the test command ends in the summary of real tests.
#[test]
fn no_example_in_the_documentation_goes_untested() {
    let mut wrong = Vec::new();
    for file in rust_files("src") {
        let mut is_open = false;
        for (index, line) in source(&file).lines().enumerate() {
            let line = line.trim_start();
            let Some(comment) = line.strip_prefix("//!").or_else(|| line.strip_prefix("///")) else {
                is_open = false;
                continue;
            };
            let Some(language) = comment.trim_start().strip_prefix("```") else { continue };
            if !is_open && matches!(language, "" | "rust" | "should_panic" | "no_run") {
                wrong.push(format!("{file}:{}: ```{language}", index + 1));
            }
            is_open = !is_open;
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "write it as a test, or name another language");
}

#[test]
fn migrations_are_numbered_without_gaps_and_all_of_them_run() {
    let mut stores = 0;
    for store in std::fs::read_dir(root().join("src/store")).unwrap() {
        let folder = store.unwrap().path().join("migrations");
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        stores += 1;
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".sql")).collect();
        names.sort();
        let list = std::fs::read_to_string(folder.join("mod.rs")).unwrap();
        let mut place = 0;
        for (index, name) in names.iter().enumerate() {
            assert!(
                name.starts_with(&format!("{:04}_", index + 1)),
                "{name} is number {} of {names:?}",
                index + 1
            );
            let found = list[place..].find(&format!("\"{name}\""));
            place += found.unwrap_or_else(|| panic!("mod.rs does not run {name} in its turn"));
        }
        assert!(!names.is_empty(), "{} has no migration", folder.display());
    }
    assert!(stores > 0);
}

#[test]
fn openapi_yaml_is_what_the_handlers_say() {
    let made = http::document().to_yaml().unwrap();
    if std::env::var_os("CASEBRIDGE_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(root().join("openapi.yaml"), &made).unwrap();
    }
    assert!(
        source("openapi.yaml") == made,
        "openapi.yaml is out of date: CASEBRIDGE_BLESS=1 cargo test --test it openapi"
    );
}

#[test]
fn every_route_is_described_and_every_description_has_a_route() {
    let is_alias = |path: &str| {
        path == "/webhooks/crm" || path.starts_with("/webhooks/crm/") || path.starts_with("/oauth/crm/")
    };
    let routed: BTreeSet<String> = routes(&source("src/http/mod.rs"))
        .into_iter()
        .filter(|(path, _)| !is_alias(path))
        .map(|(path, method)| format!("{method} {path}"))
        .collect();
    let document = serde_json::to_value(http::document()).unwrap();
    let described: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods
                .filter(|key| METHODS.contains(&key.as_str()))
                .map(move |method| format!("{method} {path}"))
        })
        .collect();
    assert!(routed.len() > 5, "{routed:?}");
    assert_eq!(routed, described);
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The routes of `.route("…", get(…).post(…))`.
fn routes(text: &str) -> Vec<(String, String)> {
    let code: String = code(text).map(|(_, line)| line).collect();
    let mut routes = Vec::new();
    for rest in code.split(".route(").skip(1) {
        let mut parts = rest.trim_start().strip_prefix('"').expect("a route is a literal").splitn(2, '"');
        let (path, handlers) = (parts.next().unwrap(), parts.next().unwrap());
        // The handlers end where this call's bracket closes.
        let mut open = 1_i32;
        let end = handlers.find(|letter| {
            open += match letter {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            open == 0
        });
        let handlers = &handlers[..end.unwrap_or(handlers.len())];
        for method in METHODS {
            if mentions(handlers, method) && handlers.contains(&format!("{method}(")) {
                routes.push((path.to_owned(), method.to_owned()));
            }
        }
    }
    routes
}

/// What the tests above rest on.
mod reading {
    use super::*;

    #[test]
    fn modules_are_found_in_every_form_of_use() {
        let text = "use crate::{clock::Clock, store::{self, sqlite}, config};\nlet x = crate::http::public;\n// crate::twin";
        let expected = ["clock", "config", "http", "store"].map(str::to_owned);
        assert_eq!(used_modules(text), BTreeSet::from(expected));
    }

    #[test]
    fn super_does_not_lead_out_unseen() {
        let levels = layers().levels;
        let climbed = |file, line| climbs_out(file, line, &levels);
        assert_eq!(climbed("src/clock.rs", "use super::store::X;"), Some("store".into()));
        assert_eq!(climbed("src/plan/task.rs", "use super::super::bridge::X;"), Some("bridge".into()));
        assert_eq!(climbed("src/http/mod.rs", "use super::bridge::X;"), Some("bridge".into()));
        assert_eq!(climbed("src/http/admin.rs", "use super::webhooks;"), None);
    }

    #[test]
    fn routes_are_read_with_all_their_methods() {
        let text = r#".route("/a/{id}", get(x::show).delete(x::drop))
            .route("/b", post(budget))"#;
        let expected = [("/a/{id}", "get"), ("/a/{id}", "delete"), ("/b", "post")];
        assert_eq!(routes(text), expected.map(|(path, method)| (path.to_owned(), method.to_owned())));
    }
}

#[test]
fn no_number_of_the_readme_is_missing() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(!readme.contains("<!-- measured"), "a figure is still to be measured");
}
