//! The fuzz targets over their seeds, over what was found once, and over those bytes a little changed: a plain test, so
//! that it runs everywhere. `tests/fuzz/run.sh` fuzzes for real.

mod targets;

use std::path::PathBuf;

/// How many changed copies of each seed are tried.
const CHANGED: usize = 40;

fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = format!("{}/tests/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut seeds: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    seeds.sort();
    seeds.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// A copy with some bytes exchanged, cut off or repeated; the same for the same seed and turn.
fn changed(bytes: &[u8], turn: usize) -> Vec<u8> {
    let mut state = (bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (turn as u64 + 1);
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % (below.max(1) as u64)).unwrap()
    };
    let mut copy = bytes.to_vec();
    for _ in 0..=next(4) {
        let at = next(copy.len());
        match next(4) {
            0 if !copy.is_empty() => copy[at] = b"{}[]\":,\\\x00\xff0-"[next(12)],
            1 => copy.truncate(at),
            2 => copy.splice(at..at, bytes[..next(bytes.len())].iter().copied()).for_each(drop),
            _ if !copy.is_empty() => copy[at] ^= 1 << next(8),
            _ => {}
        }
    }
    copy
}

#[test]
fn no_input_brings_a_reader_down() {
    for (name, target) in targets::ALL {
        let seeds = seeds(name);
        assert!(seeds.len() > 2, "{name} has too few seeds");
        for (path, bytes) in seeds {
            let caught = std::panic::catch_unwind(|| {
                target(&bytes);
                (0..CHANGED).for_each(|turn| target(&changed(&bytes, turn)));
            });
            assert!(caught.is_ok(), "{}", path.display());
        }
    }
}
