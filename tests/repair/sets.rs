//! Sets of files: what a plan says of them, and what is there when it was carried out, or was cut
//! short.

use redkeep::UnixMillis;
use redkeep::aof::repair::{CutAt, Fate, Plan, RepairOptions, plan};
use redkeep::aof::{Fileset, FilesetOptions, Startup};
use redkeep::task::{RepairPlace, RepairStep, repair, repair_watched};
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const RDB: &[u8] = b"REDIS0009\xfe\x00\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";
const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const MANIFEST: &str = "file appendonly.aof.1.base.rdb seq 1 type b\n\
                        file appendonly.aof.1.incr.aof seq 1 type i\n\
                        file appendonly.aof.2.incr.aof seq 2 type i\n\
                        file appendonly.aof.3.incr.aof seq 3 type i startoffset 9\n";

/// A SET of one letter, 27 bytes, at a second.
fn set(key: char, second: u32) -> Vec<u8> {
    format!("#TS:{second}\r\n*3\r\n$3\r\nSET\r\n$1\r\n{key}\r\n$1\r\n1\r\n").into_bytes()
}

/// A folder of a server.
pub(crate) struct Dir(pub(crate) tempfile::TempDir);

impl Dir {
    pub(crate) fn of(files: &[(&str, &[u8])]) -> Dir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        Dir(folder)
    }

    /// Base and three increments, all sound.
    fn parts() -> Dir {
        Dir::of(&[
            ("appendonlydir/appendonly.aof.manifest", MANIFEST.as_bytes()),
            ("appendonlydir/appendonly.aof.1.base.rdb", RDB),
            ("appendonlydir/appendonly.aof.1.incr.aof", &[set('a', 1), set('b', 2)].concat()),
            ("appendonlydir/appendonly.aof.2.incr.aof", &[set('c', 3), set('d', 4)].concat()),
            ("appendonlydir/appendonly.aof.3.incr.aof", &[set('e', 5), set('f', 6)].concat()),
        ])
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join("appendonlydir").join(name)
    }

    fn append(&self, name: &str, bytes: &[u8]) {
        let path = self.file(name);
        fs::write(&path, [&fs::read(&path).unwrap()[..], bytes].concat()).unwrap();
    }

    fn plan(&self, options: &RepairOptions) -> Plan {
        plan(self.path(), options).unwrap()
    }

    /// What a server would load: the bytes, file by file; none where it would not.
    fn loads(&self) -> Option<Vec<Vec<u8>>> {
        loads(self.path())
    }

    /// All files in it with their bytes.
    fn all(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = BTreeMap::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => drop(all.insert(path.clone(), fs::read(&path).unwrap())),
                }
            }
        }
        all
    }
}

fn loads(path: &Path) -> Option<Vec<Vec<u8>>> {
    let options = FilesetOptions::new("redis-7.2".parse().unwrap());
    let fileset = Fileset::find(path, &options).unwrap();
    let loads = fileset.startup == Startup::Loads;
    loads.then(|| fileset.files.iter().map(|file| fs::read(&file.path).unwrap()).collect())
}

fn cut(at: CutAt) -> RepairOptions {
    RepairOptions::default().cut(at)
}

fn fates(plan: &Plan) -> Vec<Fate> {
    plan.files.iter().map(|file| file.fate).collect()
}

fn in_place() -> RepairPlace {
    RepairPlace::InPlace { stamp: "20261120T134500Z".to_owned() }
}

#[test]
fn a_sound_set_is_left_alone() {
    let dir = Dir::parts();
    let before = dir.all();
    let plan = dir.plan(&RepairOptions::default().server("redis-7.2".parse().unwrap()));
    assert!(plan.is_empty() && plan.target.as_ref().unwrap().loads, "{plan}");
    assert_eq!((plan.kept().commands, plan.lost().bytes), (6, 0));
    let outcome = repair(&plan, &in_place()).unwrap();
    assert!(outcome.written.is_empty() && outcome.aside.is_empty());
    assert!(dir.all() == before);
}

#[test]
fn a_cut_may_be_in_any_file_and_later_ones_leave_the_set() {
    use Fate::{Leaves, Rewritten, Unchanged};
    let at = |file: &str, offset| CutAt::Offset { file: Some(file.to_owned()), offset };
    let second = "appendonly.aof.2.incr.aof";
    for (point, commands, want) in [
        (CutAt::Time(UnixMillis::from_seconds(3)), 3, [Unchanged, Unchanged, Rewritten, Leaves]),
        (CutAt::Time(UnixMillis::new(2999)), 2, [Unchanged, Unchanged, Rewritten, Leaves]),
        (CutAt::Time(UnixMillis::new(5500)), 5, [Unchanged, Unchanged, Unchanged, Rewritten]),
        (CutAt::Time(UnixMillis::from_seconds(9)), 6, [Unchanged; 4]),
        (CutAt::Time(UnixMillis::from_seconds(0)), 0, [Unchanged, Rewritten, Leaves, Leaves]),
        (CutAt::Command(4), 4, [Unchanged, Unchanged, Unchanged, Rewritten]),
        (CutAt::Command(1), 1, [Unchanged, Rewritten, Leaves, Leaves]),
        (CutAt::Command(60), 6, [Unchanged; 4]),
        (at(second, 35), 3, [Unchanged, Unchanged, Rewritten, Leaves]),
        (at(second, 70), 4, [Unchanged, Unchanged, Unchanged, Leaves]),
        (CutAt::Offset { file: None, offset: 36 }, 5, [Unchanged, Unchanged, Unchanged, Rewritten]),
    ] {
        let dir = Dir::parts();
        let plan = dir.plan(&cut(point.clone()));
        assert_eq!((fates(&plan), plan.kept().commands), (want.to_vec(), commands), "{point:?}");
        assert_eq!(plan.kept().commands + plan.lost().commands, 6);
        repair(&plan, &in_place()).unwrap();
        let whole = dir.loads().unwrap();
        let sets = whole.concat().windows(3).filter(|word| *word == b"SET").count() as u64;
        assert_eq!(sets, commands, "{point:?}");
        // Only a time that is not reached again may cut once more.
        assert!(dir.plan(&RepairOptions::default()).is_empty());
    }
}

#[test]
fn what_cannot_be_cut_so_is_said() {
    let dir = Dir::parts();
    let refused = |options: &RepairOptions| plan(dir.path(), options).unwrap_err().to_string();
    let nowhere = CutAt::Offset { file: Some("x.aof".to_owned()), offset: 0 };
    assert!(refused(&cut(nowhere)).contains("x.aof"));
    let single = Dir::of(&[("a.aof", b"*1\r\n$8\r\nFLUSHALL\r\n")]);
    let time = cut(CutAt::Time(UnixMillis::new(5)));
    let error = plan(&single.path().join("a.aof"), &time).unwrap_err();
    assert!(error.to_string().contains("no timestamps"));
    let early = Dir::of(&[("a.aof", &set('a', 7))]);
    let error = plan(&early.path().join("a.aof"), &time).unwrap_err();
    assert!(error.to_string().contains("before that time"));
    assert!(plan(tempfile::tempdir().unwrap().path(), &RepairOptions::default()).is_err());
}

#[test]
fn damage_in_an_earlier_file_costs_only_that_and_is_warned_of() {
    let dir = Dir::parts();
    dir.append("appendonly.aof.1.incr.aof", b"*3\r\n$3\r\nSE");
    dir.append("appendonly.aof.3.incr.aof", MULTI);
    let plan = dir.plan(&RepairOptions::default());
    assert_eq!(plan.kept().commands, 6);
    assert!(plan.warnings.iter().any(|line| line.contains("as of an incomplete log")), "{plan}");
    let out = tempfile::tempdir().unwrap();
    let before = dir.all();
    repair(&plan, &RepairPlace::Folder(out.path().join("new"))).unwrap();
    assert!(dir.all() == before);
    assert_eq!(loads(&out.path().join("new")), Dir::parts().loads());
    let error = repair(&plan, &RepairPlace::Folder(out.path().join("new"))).unwrap_err();
    assert!(error.to_string().contains("not empty"));
}

#[test]
fn a_lost_manifest_is_made_anew() {
    for text in [None, Some(""), Some("\0\0\0"), Some(&MANIFEST[..MANIFEST.len() - 1])] {
        let dir = Dir::parts();
        let manifest = dir.file("appendonly.aof.manifest");
        match text {
            Some(text) => fs::write(&manifest, text).unwrap(),
            None => fs::remove_file(&manifest).unwrap(),
        }
        for path in [dir.path().to_owned(), dir.path().join("appendonlydir")] {
            let plan = plan(&path, &RepairOptions::default()).unwrap();
            assert!(plan.obstacles.is_empty() && !plan.is_empty(), "{text:?} {plan}");
            assert_eq!(plan.kept().commands, 6);
        }
        repair(&dir.plan(&RepairOptions::default()), &in_place()).unwrap();
        assert_eq!(dir.loads(), Dir::parts().loads());
        assert_eq!(
            fs::read_dir(dir.path().join("appendonlydir")).unwrap().count(),
            5 + usize::from(text.is_some())
        );
    }
}

#[test]
fn a_transaction_that_an_earlier_file_opens_is_not_kept_in_half() {
    let dir = Dir::parts();
    dir.append("appendonly.aof.1.incr.aof", &[MULTI, &set('x', 7)].concat());
    let rest = [&set('y', 7)[..], b"*1\r\n$4\r\nEXEC\r\n", &set('c', 8)].concat();
    fs::write(dir.file("appendonly.aof.2.incr.aof"), rest).unwrap();
    let plan = dir.plan(&RepairOptions::default());
    let kept: Vec<_> = plan.files.iter().map(|file| file.kept.commands).collect();
    assert_eq!(kept, [0, 2, 1, 2], "{plan}");
    assert_eq!(plan.lost().commands, 4);
}

#[test]
fn what_no_cut_mends_stands_in_the_way() {
    let dir = Dir::parts();
    fs::remove_file(dir.file("appendonly.aof.2.incr.aof")).unwrap();
    let plan = dir.plan(&RepairOptions::default());
    assert!(plan.obstacles[0].contains("2.incr.aof"), "{plan}");
    assert!(repair(&plan, &in_place()).is_err());
    let plan = dir.plan(&RepairOptions::default().salvage(true));
    repair(&plan, &in_place()).unwrap();
    assert_eq!(dir.loads().unwrap().len(), 3);

    let dir = Dir::parts();
    fs::write(dir.file("appendonly.aof.1.base.rdb"), &RDB[..12]).unwrap();
    for salvage in [false, true] {
        let plan = dir.plan(&RepairOptions::default().salvage(salvage));
        assert!(plan.obstacles[0].contains("RDB"), "{plan}");
    }
}

#[test]
fn a_file_that_changed_since_is_not_touched() {
    for name in ["appendonly.aof.1.incr.aof", "appendonly.aof.manifest"] {
        let dir = Dir::parts();
        dir.append("appendonly.aof.3.incr.aof", MULTI);
        let plan = dir.plan(&RepairOptions::default());
        dir.append(name, &set('z', 7));
        let before = dir.all();
        let out = tempfile::tempdir().unwrap();
        for place in [in_place(), RepairPlace::Folder(out.path().to_owned())] {
            assert!(repair(&plan, &place).unwrap_err().to_string().contains("changed"));
        }
        assert!(dir.all() == before);
    }
}

/// Sets that need a repair, each of another kind, and how to ask for it.
fn broken() -> Vec<(&'static str, Dir, RepairOptions)> {
    let torn = Dir::parts();
    torn.append("appendonly.aof.1.incr.aof", b"*3\r\n$3\r\nSE");
    torn.append("appendonly.aof.3.incr.aof", MULTI);
    let gone = Dir::parts();
    fs::remove_file(gone.file("appendonly.aof.manifest")).unwrap();
    let single = Dir::of(&[("appendonly.aof", &[&set('a', 1)[..], MULTI].concat())]);
    let middle = [&set('a', 1)[..], b"!", &set('b', 2), &set('c', 3)].concat();
    let middle = Dir::of(&[("appendonly.aof", &[RDB, &middle].concat())]);
    vec![
        ("torn", torn, RepairOptions::default()),
        ("cut", Dir::parts(), cut(CutAt::Command(3))),
        ("no manifest", gone, RepairOptions::default()),
        ("single", single, RepairOptions::default()),
        ("middle", middle, RepairOptions::default().salvage(true)),
    ]
}

#[test]
fn a_crash_between_any_two_steps_leaves_the_old_set_or_the_new_one_whole() {
    let kinds = broken().len();
    for kind in 0..kinds {
        let new = {
            let (_, dir, options) = broken().swap_remove(kind);
            repair(&dir.plan(&options), &in_place()).unwrap();
            dir.loads()
        };
        let mut steps = 0;
        for stop in 0.. {
            let (name, dir, options) = broken().swap_remove(kind);
            let (old, before) = (dir.loads(), dir.all());
            let mut taken = Vec::new();
            let mut watch = |step: &RepairStep| match taken.len() == stop {
                true => ControlFlow::Break(()),
                false => {
                    taken.push(step.clone());
                    ControlFlow::Continue(())
                }
            };
            let done = repair_watched(&dir.plan(&options), &in_place(), &mut watch);
            let is_new = taken.iter().any(|step| matches!(step, RepairStep::Commit(_)));
            let loads = dir.loads();
            assert!(loads == if is_new { new.clone() } else { old }, "{name}, {taken:?}");
            // Nothing of what was there is lost.
            let after: Vec<_> = dir.all().into_values().collect();
            assert!(before.values().all(|bytes| after.contains(bytes)), "{name}, {taken:?}");
            assert!(!dir.all().keys().any(|path| path.to_string_lossy().ends_with(".tmp")));
            if is_new {
                assert!(dir.plan(&RepairOptions::default()).is_empty(), "{name}, {taken:?}");
            }
            if done.is_ok() {
                steps = taken.len();
                break;
            }
        }
        assert!(steps >= 1);
    }
}

#[test]
fn a_new_folder_has_its_manifest_last() {
    let (_, dir, options) = broken().swap_remove(0);
    let plan = dir.plan(&options);
    for stop in 0..=5 {
        let out = tempfile::tempdir().unwrap();
        let mut left = stop;
        let mut watch = |_: &RepairStep| match left {
            0 => ControlFlow::Break(()),
            _ => {
                left -= 1;
                ControlFlow::Continue(())
            }
        };
        let place = RepairPlace::Folder(out.path().to_owned());
        assert_eq!(repair_watched(&plan, &place, &mut watch).is_ok(), stop == 5);
        assert_eq!(loads(out.path()).is_some(), stop == 5);
    }
}

#[test]
fn a_second_repair_in_place_never_replaces_what_the_first_kept() {
    let dir = Dir::parts();
    repair(&dir.plan(&cut(CutAt::Command(5))), &in_place()).unwrap();
    let before = dir.all();
    let plan = dir.plan(&cut(CutAt::Command(4)));
    let error = repair(&plan, &in_place()).unwrap_err();
    assert!(error.is_io(), "{error}");
    for (path, bytes) in &before {
        assert!(dir.all().get(path) == Some(bytes), "{}", path.display());
    }
    repair(&plan, &RepairPlace::InPlace { stamp: "2".to_owned() }).unwrap();
    assert_eq!(dir.plan(&RepairOptions::default()).kept().commands, 4);
    assert!(repair(&plan, &RepairPlace::InPlace { stamp: "../2".to_owned() }).is_err());
}
