//! What people do at the console, in a real browser, if there is one: `tests/browser` holds their stories. With
//! `CASEBRIDGE_BLESS=1` they take the README's pictures anew.
//!
//! They need Node.js, a Chromium, and two packages that npm fetches once. Where one of these is missing, one line says
//! so and nothing is tested.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where the packages and the stories are put together.
fn workshop() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser")
}

/// A program of this name on the path.
fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places =
        std::env::split_paths(&path).flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    places.find(|place| place.is_file())
}

/// Node.js, a Chromium and the folder with the packages; what is missing otherwise.
fn equipment() -> Result<(PathBuf, PathBuf, PathBuf), String> {
    let node = program(&["node"]).ok_or("there is no `node`")?;
    let chromium = std::env::var_os("CASEBRIDGE_CHROMIUM").map(PathBuf::from);
    let chromium = chromium.or_else(|| program(&["chromium", "chromium-browser", "google-chrome"]));
    let chromium =
        chromium.ok_or("there is no `chromium` (install it, or name one by CASEBRIDGE_CHROMIUM)")?;
    let folder = workshop();
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    for file in ["package.json", "rules.mjs", "run.mjs", "set-up.mjs", "stage.mjs"] {
        let text = crate::house::source(&format!("tests/browser/{file}"));
        std::fs::write(folder.join(file), text).map_err(|error| error.to_string())?;
    }
    let has_packages =
        ["playwright-core", "axe-core"].iter().all(|name| folder.join("node_modules").join(name).is_dir());
    if !has_packages {
        let npm = program(&["npm"]).ok_or("there is no `npm`")?;
        let fetched = Command::new(npm)
            .args(["install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])
            .args(["--fetch-retries=1", "--fetch-timeout=20000"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .status();
        if !fetched.is_ok_and(|status| status.success()) {
            return Err("npm cannot fetch the packages of tests/browser/package.json".into());
        }
    }
    Ok((node, chromium, folder))
}

/// A demo that ends with the test, however that ends.
struct Demo {
    child: Child,
    home: tempfile::TempDir,
    base: u16,
    /// The link that makes its first administrator.
    link: String,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let base = crate::demo::port_base();
        let mut child = Command::new(env!("CARGO_BIN_EXE_casebridge"))
            .args(["demo", "--port-base", &base.to_string()])
            .args(arguments)
            .arg("--dir")
            .arg(home.path().join("demo"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        let mut demo = Self { child, home, base, link: String::new() };
        let mut line = String::new();
        while demo.link.is_empty() && told.read_line(&mut line).unwrap() > 0 {
            demo.link =
                line.split_whitespace().find(|word| word.contains("/setup/")).unwrap_or("").to_owned();
            line.clear();
        }
        assert!(!demo.link.is_empty(), "the demo prints the link to the console");
        // What it says further is not read; it must not wait for that.
        std::thread::spawn(move || std::io::copy(&mut told.by_ref(), &mut std::io::sink()));
        demo
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The addresses of the console's pages, as its router has them.
fn pages() -> Vec<String> {
    // Told to scripts and spreadsheets, or only on the way to another page.
    let is_page = |path: &&str| {
        !path.starts_with("/assets/")
            && !path.contains(".csv")
            && !path.ends_with("/live")
            && *path != "/mapping"
            && !path.ends_with("/export")
    };
    let router = crate::house::source("src/console/mod.rs");
    let routes = router.split(".route(\"").skip(1).filter_map(|route| route.split_once("\", "));
    let shown = routes.filter(|(_, verbs)| verbs.starts_with("get(")).map(|(path, _)| path);
    let pages: Vec<String> = shown.filter(is_page).map(str::to_owned).collect();
    assert!(pages.len() > 30, "{pages:?}");
    pages
}

#[test]
fn people_do_their_work_in_a_browser() {
    let (node, chromium, folder) = match equipment() {
        Ok(equipment) => equipment,
        Err(missing) => {
            // Past what the harness keeps of a test that passes: whoever runs the tests should read it.
            let _ = writeln!(std::io::stderr(), "the console's browser tests are skipped: {missing}");
            return;
        }
    };
    // One that has told its story, and one in which nobody has set up a firm yet.
    let told = Demo::start(&[]);
    let empty = Demo::start(&["--empty"]);
    let mut stories = Command::new(node);
    stories.arg("run.mjs").current_dir(&folder).env("CHROMIUM", chromium);
    for (begin, demo) in [("", &told), ("EMPTY_", &empty)] {
        stories.env(format!("{begin}CONSOLE_SETUP"), &demo.link);
        stories.env(format!("{begin}TWIN"), format!("http://127.0.0.1:{}", demo.base + 2));
        stories.env(format!("{begin}CASEPEER"), format!("http://127.0.0.1:{}", demo.base + 3));
    }
    if std::env::var_os("CASEBRIDGE_BLESS").is_some() {
        stories.env("KEEP", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/screenshots"));
    }
    stories.env("ROUTES", serde_json::to_string(&pages()).unwrap());
    stories.env("EMPTY_HOME", empty.home.path().join("demo"));
    let told = stories.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{out}{err}");
}
