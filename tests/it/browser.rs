//! What people do at the console, in a real browser, if there is one: `tests/browser` holds their stories.
//!
//! They need Node.js, a Chromium, and two packages that npm fetches once. Where one of these is missing, one line says
//! so and nothing is tested.

use std::io::{BufRead, BufReader, Read};
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
    for file in ["package.json", "run.mjs", "stage.mjs"] {
        let text = crate::house::source(&format!("tests/browser/{file}"));
        std::fs::write(folder.join(file), text).map_err(|error| error.to_string())?;
    }
    let has_packages =
        ["playwright-core", "axe-core"].iter().all(|name| folder.join("node_modules").join(name).is_dir());
    if !has_packages {
        let npm = program(&["npm"]).ok_or("there is no `npm`")?;
        let fetched = Command::new(npm)
            .args(["install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])
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
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asked for by `CASEBRIDGE_TEST_BROWSER=1`: on a busy machine some of its stories do not wait long enough for what the
/// console counts in the background, and fail.
#[test]
fn people_do_their_work_in_a_browser() {
    if std::env::var_os("CASEBRIDGE_TEST_BROWSER").is_none() {
        eprintln!("browser tests are skipped: CASEBRIDGE_TEST_BROWSER=1 runs them");
        return;
    }
    let (node, chromium, folder) = match equipment() {
        Ok(equipment) => equipment,
        Err(missing) => {
            eprintln!("browser tests are skipped: {missing}");
            return;
        }
    };
    let home = tempfile::tempdir().unwrap();
    let base = crate::demo::port_base();
    let demo = Command::new(env!("CARGO_BIN_EXE_casebridge"))
        .args(["demo", "--port-base", &base.to_string(), "--dir"])
        .arg(home.path().join("demo"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut demo = Demo(demo);
    let mut told = BufReader::new(demo.0.stdout.take().unwrap());
    let (mut line, mut link) = (String::new(), None);
    while link.is_none() && told.read_line(&mut line).unwrap() > 0 {
        link = line.split_whitespace().find(|word| word.contains("/setup/")).map(str::to_owned);
        line.clear();
    }
    let link = link.expect("the demo prints the link to the console");
    // What it says further is not read; it must not wait for that.
    std::thread::spawn(move || std::io::copy(&mut told.by_ref(), &mut std::io::sink()));
    let mut stories = Command::new(node);
    stories.arg("run.mjs").current_dir(&folder).env("CONSOLE_SETUP", &link).env("CHROMIUM", chromium);
    stories.env("TWIN", format!("http://127.0.0.1:{}", base + 2));
    stories.env("CASEPEER", format!("http://127.0.0.1:{}", base + 3));
    let told = stories.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{out}{err}");
}
