//! A full disk: what cannot be stored is refused in the way that makes the sender repeat it, and nothing else happens.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::load::World;
use super::{Database, PATIENCE, eventually};

/// A small file system of its own, in memory.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// None, said in one line, where this process may not mount one.
    fn mount() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"])
            .arg(directory.path())
            .output();
        match mount {
            Ok(mounted) if mounted.status.success() => Some(Self(directory)),
            _ => {
                eprintln!(
                    "not run: a full disk needs a tmpfs, and this process may not mount one (run it as root)"
                );
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the program may still have files open here.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// What is freed later: enough for everything that was refused.
const BALLAST: usize = 8 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_with_429_takes_webhooks_again_once_there_is_room_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![1; BALLAST]).unwrap();
    let mut world = World::start_on(Database::Sqlite, Some(disk.path()), 5).await;
    world.work(5);
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let (sender, url) = (world.sender.clone(), world.child.url.clone());
    let send = async || {
        // Large enough to fill a small disk soon.
        let answer = sender.send(&http, &url, 64 * 1024).await.expect("an answer");
        (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
    };
    let (mut stored, mut refused) = (0, 0);
    while refused < 20 {
        match send().await {
            (202, _) => stored += 1,
            (429, true) => refused += 1,
            other => panic!("answered {other:?} after {stored} were stored\n{}", world.child.log()),
        }
        assert!(stored < 1_000, "the disk does not get full");
    }
    // People go on working, and their webhooks are refused too.
    world.work(3);
    assert!(world.child.is_running());
    std::fs::remove_file(&ballast).unwrap();
    let look = async || (send().await.0 == 202).then_some(());
    eventually("webhooks are taken again", PATIENCE, look).await;
    assert!(world.child.is_running());
    assert_eq!(world.wrong_answers(), [0_u16; 0], "{}", world.child.log());
    world.finish().await;
}
