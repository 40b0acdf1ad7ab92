//! Plans, and directories that were restored into, without a server.

use crate::System;
use crate::{
    BASE, INCREMENT, MANIFEST, all, directory, dump, keeps, loads, options, plan, restore, server,
    set, settings, states,
};
use redkeep::aof::{Fileset, FilesetOptions, Startup};
use redkeep::rdb::OnLoss;
use redkeep::rdb::convert::ConvertOptions;
use redkeep::select::{Condition, FilterOptions, KeyPattern};
use redkeep::task::data_dir::{
    AppendOnly, DataDirForm, DataDirObstacle, DataDirOptions, DataDirSource, plan_data_dir,
};
use redkeep::task::{ExtractOptions, extract};
use redkeep::{ErrorKind, Fault};
use std::fs;
use std::io::Empty;

const SETTINGS: [AppendOnly; 3] = [AppendOnly::Yes, AppendOnly::No, AppendOnly::Unknown];

#[test]
fn a_restore_is_what_a_server_loads_and_nothing_that_was_there_is_lost() {
    let new = dump("new", "1");
    for name in ["redis-2.8", "redis-3.2", "redis-4.0", "redis-6.2", "redis-7.0", "valkey-9.1"] {
        for setting in SETTINGS {
            for (state, files) in states() {
                let dir = directory(&files);
                let before = all(dir.path());
                let outcome = restore(dir.path(), &options(name, setting), &new).unwrap();
                let shown = format!("{state}, {name}, {setting}");
                assert_eq!(outcome.content.keys, 1, "{shown}");
                assert!(keeps(dir.path(), &before), "{shown}: {outcome:?}");
                for view in settings(setting) {
                    let (startup, files) = loads(dir.path(), server(name), *view);
                    assert_eq!(startup, Startup::Loads, "{shown}");
                    let has = |word: &[u8]| {
                        files.iter().any(|file| file.windows(word.len()).any(|part| part == word))
                    };
                    assert!(has(b"new") && !has(b"stale"), "{shown} as {view}");
                }
                // And nothing that is stale is loaded the day somebody turns the setting round.
                for (name, view) in [
                    (name, AppendOnly::Yes),
                    (name, AppendOnly::No),
                    ("redis-7.2", AppendOnly::Yes),
                ] {
                    let (_, files) = loads(dir.path(), server(name), view);
                    let stale =
                        files.iter().any(|file| file.windows(5).any(|part| part == b"stale"));
                    assert!(!stale, "{shown}, later {name} with {view}");
                }
            }
        }
    }
}

#[test]
fn a_second_restore_keeps_what_the_first_wrote_and_kept() {
    for name in ["redis-3.2", "redis-6.2", "redis-7.0"] {
        for setting in SETTINGS {
            let dir = directory(&states().pop().unwrap().1);
            let options = options(name, setting).stamp("20261120T134500Z");
            for round in 0..3 {
                let before = all(dir.path());
                let new = dump("new", &round.to_string());
                let outcome = restore(dir.path(), &options, &new).unwrap();
                assert!(keeps(dir.path(), &before), "{name}, {setting}: {outcome:?}");
                assert!(round == 0 || !outcome.aside.is_empty());
                let stamped = |path: &std::path::PathBuf| {
                    path.to_string_lossy().contains(".redkeep-20261120T134500Z")
                };
                assert!(outcome.aside.iter().all(stamped), "{outcome:?}");
            }
        }
    }
}

#[test]
fn a_plan_changes_nothing_and_gives_a_reason_for_every_step() {
    for (state, files) in states() {
        for setting in SETTINGS {
            let dir = directory(&files);
            let before = all(dir.path());
            let plan = plan(dir.path(), &options("redis-7.2", setting));
            let content = plan.rehearse(DataDirSource::Dump(&dump("a", "1")[..])).unwrap();
            assert_eq!((content.keys, &all(dir.path())), (1, &before), "{state}");
            assert!(
                plan.obstacles.is_empty() && plan.steps.iter().all(|step| !step.why.is_empty())
            );
            let aside: Vec<_> = plan.steps.iter().filter_map(|step| step.to.as_ref()).collect();
            assert!(aside.iter().all(|path| !path.exists()), "{plan}");
            // Every old file has a place where it goes.
            assert_eq!(aside.len(), before.len(), "{state}, {setting}: {plan}");
        }
    }
}

#[test]
fn the_settings_give_names_and_form() {
    let dir = directory(&[]);
    let conf = dir.path().join("redis.conf");
    let inner = dir.path().join("included.conf");
    let text = format!(
        "include {}\nport 0\ndir {}\ndbfilename cache.rdb\nappendfilename \"my log.aof\"\nappenddirname logs\n",
        inner.display(),
        dir.path().display()
    );
    fs::write(&conf, text).unwrap();
    fs::write(&inner, "appendonly yes\n").unwrap();
    let options = DataDirOptions::new(server("redis-7.2")).conf(&conf);
    let plan = plan(dir.path(), &options);
    assert_eq!(
        (plan.append_only, &plan.forms[..]),
        (AppendOnly::Yes, &[DataDirForm::LogFolder][..])
    );
    plan.apply(DataDirSource::Dump(&dump("a", "1")[..]), &System::start()).unwrap();
    assert!(dir.path().join("logs/my log.aof.manifest").exists());
    fs::write(&inner, "appendonly no\n").unwrap();
    crate::restore(dir.path(), &options, &dump("b", "1")).unwrap();
    assert!(
        dir.path().join("cache.rdb").exists()
            && !dir.path().join("logs/my log.aof.manifest").exists()
    );
    // What is said beside the file wins.
    let plan = crate::plan(dir.path(), &options.append_only(AppendOnly::Unknown));
    assert_eq!(plan.forms.len(), 2);
    fs::write(&conf, "dir /somewhere/else\nport 0\n").unwrap();
    let plan = crate::plan(dir.path(), &DataDirOptions::new(server("redis-7.2")).conf(&conf));
    assert!(plan.notes.iter().any(|note| note.contains("/somewhere/else")), "{plan}");
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_looked_at() {
    let dir = directory(&[]);
    let refused = |options: DataDirOptions| {
        plan_data_dir(dir.path(), &options, &System::start()).unwrap_err()
    };
    let plain = options("redis-7.2", AppendOnly::Yes);
    assert_eq!(refused(plain.clone().stamp("../x")).kind(), ErrorKind::Usage);
    let other = ConvertOptions::new(server("redis-6.2"));
    let other = ExtractOptions::default().convert(other);
    assert_eq!(refused(plain.clone().extract(other)).kind(), ErrorKind::Usage);
    assert!(refused(plain.clone().conf(dir.path().join("gone.conf"))).is_io());
    let missing = plan_data_dir(&dir.path().join("gone"), &plain, &System::start()).unwrap_err();
    assert!(missing.is_io() && missing.to_string().contains("gone"), "{missing}");
}

#[test]
fn a_source_that_is_damaged_or_empties_the_directory_changes_nothing() {
    let nobody = FilterOptions::default().include(Condition::keys([KeyPattern::exact("x")]));
    for name in ["redis-3.2", "redis-6.2", "redis-7.2"] {
        for setting in SETTINGS {
            let dir = directory(&states()[6].1);
            let before = all(dir.path());
            let good = dump("new", "1");
            let mut bad = good.clone();
            bad[15] ^= 1;
            let error = restore(dir.path(), &options(name, setting), &bad).unwrap_err();
            assert!(error.is_corrupt(), "{error}");
            let error = restore(dir.path(), &options(name, setting), &good[..20]).unwrap_err();
            assert!(error.is_truncated(), "{error}");
            let some =
                options(name, setting).extract(ExtractOptions::default().filter(nobody.clone()));
            let error = restore(dir.path(), &some, &good).unwrap_err();
            assert!(error.to_string().contains("none of the keys"), "{error}");
            assert!(all(dir.path()) == before, "{name}, {setting}");
        }
        // Where there was no folder for logs there is none afterwards.
        let dir = directory(&[]);
        restore(dir.path(), &options(name, AppendOnly::Yes), b"REDIS0006\xfe").unwrap_err();
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    }
}

#[test]
fn what_the_server_would_refuse_is_not_put_there_unless_told() {
    // Database 20 is one too many for a server with the usual 16.
    let mut high = dump("new", "1");
    high.truncate(high.len() - 8);
    high[10] = 20;
    let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&high);
    high.extend(crc.to_le_bytes());
    for name in ["redis-3.2", "redis-6.2", "redis-7.2"] {
        for setting in SETTINGS {
            let dir = directory(&states()[6].1);
            let before = all(dir.path());
            let error = restore(dir.path(), &options(name, setting), &high).unwrap_err();
            assert_eq!(error.fault(), Some(Fault::WouldRefuse), "{name}, {setting}: {error}");
            assert!(all(dir.path()) == before, "{name}, {setting}");
            let conf = tempfile::tempdir().unwrap();
            let conf = conf.path().join("redis.conf");
            let _ = fs::create_dir_all(conf.parent().unwrap());
            fs::write(&conf, "databases 32\nport 0\n").unwrap();
            let more = options(name, setting).conf(&conf);
            restore(dir.path(), &more, &high).unwrap();
            restore(dir.path(), &options(name, setting).accept_findings(true), &high).unwrap();
            let _ = fs::remove_dir_all(conf.parent().unwrap());
        }
    }
}

/// An intset whose length is not that of its bytes: its record can be copied all the same.
#[test]
fn a_value_that_is_damaged_is_not_given_a_clean_face() {
    let mut bad =
        b"REDIS0006\xfe\x00\x0b\x01s\x0a\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\xff".to_vec();
    let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&bad);
    bad.extend(crc.to_le_bytes());
    for name in ["redis-3.2", "redis-6.2", "redis-7.2"] {
        for setting in SETTINGS {
            let dir = directory(&states()[6].1);
            let before = all(dir.path());
            let options = options(name, setting).accept_findings(true);
            let error = restore(dir.path(), &options, &bad).unwrap_err();
            assert!(error.is_corrupt(), "{name}, {setting}: {error}");
            assert!(all(dir.path()) == before, "{name}, {setting}");
        }
    }
}

#[test]
fn a_directory_that_changed_since_the_plan_is_not_touched() {
    for (at, name) in ["dump.rdb", "appendonly.aof", MANIFEST, BASE, INCREMENT].iter().enumerate() {
        for gone in [true, false] {
            let dir = directory(&states()[6].1);
            let plan = plan(dir.path(), &options("redis-7.2", AppendOnly::Unknown));
            let path = dir.path().join(name);
            match gone {
                true => fs::remove_file(path).unwrap(),
                false => fs::write(path, format!("changed {at}")).unwrap(),
            }
            let before = all(dir.path());
            let error =
                plan.apply(DataDirSource::Dump(&dump("a", "1")[..]), &System::start()).unwrap_err();
            assert!(error.to_string().contains("changed since"), "{error}");
            assert!(all(dir.path()) == before, "{name}");
        }
    }
}

#[test]
fn what_has_the_name_of_a_file_and_is_none_stands_in_the_way() {
    let dir = directory(&[("appendonlydir", b"a file".to_vec()), ("dump.rdb/x", b"".to_vec())]);
    let plan = plan(dir.path(), &options("redis-7.2", AppendOnly::Unknown));
    let in_the_way =
        |obstacle: &DataDirObstacle| matches!(obstacle, DataDirObstacle::InTheWay { .. });
    assert_eq!(plan.obstacles.iter().filter(|found| in_the_way(found)).count(), 2, "{plan}");
    assert!(plan.apply(DataDirSource::Dump(&dump("a", "1")[..]), &System::start()).is_err());
}

/// A log as a source: a single file with these bytes.
fn log(bytes: &[u8]) -> (tempfile::TempDir, Fileset) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("source.aof");
    fs::write(&path, bytes).unwrap();
    let found = Fileset::find(&path, &FilesetOptions::new(server("redis-8.8"))).unwrap();
    (folder, found)
}

fn restore_log(
    dir: &std::path::Path,
    options: &DataDirOptions,
    log: &Fileset,
) -> redkeep::Result<redkeep::task::data_dir::DataDirOutcome> {
    plan(dir, options).apply(DataDirSource::<Empty>::Log(log), &System::start())
}

#[test]
fn a_log_that_is_an_rdb_goes_into_every_form() {
    let (_folder, source) = log(&dump("new", "1"));
    for name in ["redis-3.2", "redis-6.2", "redis-7.2"] {
        for setting in SETTINGS {
            let dir = directory(&states()[6].1);
            let before = all(dir.path());
            let outcome = restore_log(dir.path(), &options(name, setting), &source).unwrap();
            assert_eq!((outcome.content.keys, keeps(dir.path(), &before)), (1, true));
            for view in settings(setting) {
                assert_eq!(
                    loads(dir.path(), server(name), *view).0,
                    Startup::Loads,
                    "{name}, {setting}"
                );
            }
        }
    }
}

#[test]
fn a_log_with_commands_goes_into_the_form_of_a_log_only_and_says_so() {
    let (_plain, commands) = log(&[set("new"), set("newer")].concat());
    let (_mixed, mixed) = log(&[dump("new", "1"), set("newer")].concat());
    for (name, source, works) in [
        ("redis-3.2", &commands, true),
        ("redis-3.2", &mixed, false),
        ("redis-6.2", &commands, true),
        ("redis-6.2", &mixed, true),
        ("redis-7.2", &commands, true),
        ("redis-7.2", &mixed, true),
    ] {
        for setting in SETTINGS {
            let dir = directory(&states()[6].1);
            let before = all(dir.path());
            let plan = plan(dir.path(), &options(name, setting));
            let told = plan.rehearse(DataDirSource::<Empty>::Log(source));
            let done = plan.apply(DataDirSource::<Empty>::Log(source), &System::start());
            if setting == AppendOnly::Yes && works {
                assert_eq!(told.unwrap(), done.unwrap().content);
                let (_, files) = loads(dir.path(), server(name), setting);
                assert!(files.concat().windows(5).any(|part| part == b"newer"), "{name}");
                continue;
            }
            let error = done.unwrap_err();
            assert_eq!(error.fault(), Some(Fault::NeedsReplay), "{name}, {setting}: {error}");
            assert_eq!(told.unwrap_err().to_string(), error.to_string());
            assert!(all(dir.path()) == before, "{name}, {setting}");
        }
    }
    let some = FilterOptions::default().include(Condition::keys([KeyPattern::exact("new")]));
    let dir = directory(&[]);
    let some =
        options("redis-7.2", AppendOnly::Yes).extract(ExtractOptions::default().filter(some));
    let error = restore_log(dir.path(), &some, &commands).unwrap_err();
    assert!(error.to_string().contains("filters"), "{error}");
}

#[test]
fn a_directory_can_be_restored_from_what_is_in_it() {
    let dir = directory(&[("dump.rdb", dump("new", "1"))]);
    let source = fs::File::open(dir.path().join("dump.rdb")).unwrap();
    let plan = plan(dir.path(), &options("redis-7.2", AppendOnly::Yes));
    plan.apply(DataDirSource::Dump(source), &System::start()).unwrap();
    assert_eq!(loads(dir.path(), server("redis-7.2"), AppendOnly::Yes).0, Startup::Loads);
    // And back, from the folder of logs.
    let log = Fileset::find(dir.path(), &FilesetOptions::new(server("redis-7.2"))).unwrap();
    restore_log(dir.path(), &options("redis-7.2", AppendOnly::No), &log).unwrap();
    let (_, files) = loads(dir.path(), server("redis-7.2"), AppendOnly::No);
    assert!(files[0].windows(3).any(|part| part == b"new"));
}

#[cfg(unix)]
#[test]
fn new_files_have_the_rights_of_those_they_replace_and_folders_those_of_the_directory() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let mode = |path: std::path::PathBuf| path.metadata().unwrap().mode() & 0o777;
    let dir = directory(&[("dump.rdb", dump("a", "1"))]);
    let only = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap()
    };
    only(&dir.path().join("dump.rdb"), 0o640);
    only(dir.path(), 0o750);
    restore(dir.path(), &options("redis-7.2", AppendOnly::Unknown), &dump("b", "1")).unwrap();
    assert_eq!(mode(dir.path().join("dump.rdb")), 0o640);
    assert_eq!(mode(dir.path().join("appendonlydir")), 0o750);
    only(&dir.path().join(MANIFEST), 0o600);
    restore(dir.path(), &options("redis-7.2", AppendOnly::Unknown), &dump("c", "1")).unwrap();
    assert_eq!(mode(dir.path().join("appendonlydir/appendonly.aof.3.base.rdb")), 0o600);
    assert_eq!(mode(dir.path().join("appendonlydir.redkeep-2")), 0o750);
    // Only root can give files away.
    if std::os::unix::fs::chown(dir.path(), Some(65_534), Some(65_534)).is_ok() {
        let outcome =
            restore(dir.path(), &options("redis-7.2", AppendOnly::Unknown), &dump("d", "1"))
                .unwrap();
        for path in outcome.written {
            let facts = path.metadata().unwrap();
            assert_eq!((facts.uid(), facts.gid()), (65_534, 65_534), "{}", path.display());
        }
    }
}

#[test]
fn losses_are_errors_unless_they_are_dropped_on_purpose() {
    // Functions are nothing that 6.2 knows.
    let mut library = b"REDIS0010\xf5\x11#!lua name=f\nx=1;\xfe\x00\x00\x01a\x01x\xff".to_vec();
    let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&library);
    library.extend(crc.to_le_bytes());
    let dir = directory(&[]);
    let error = restore(dir.path(), &options("redis-6.2", AppendOnly::No), &library).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::Loss), "{error}");
    let convert = ConvertOptions::new(server("redis-6.2")).on_loss(OnLoss::Drop);
    let dropping =
        options("redis-6.2", AppendOnly::No).extract(ExtractOptions::default().convert(convert));
    let outcome = restore(dir.path(), &dropping, &library).unwrap();
    let counts = outcome.content.extracted.unwrap().converted.unwrap();
    assert!(!counts.losses.is_empty());
    let mut same = Vec::new();
    extract(
        &fs::read(dir.path().join("dump.rdb")).unwrap()[..],
        &mut same,
        &ExtractOptions::default(),
    )
    .unwrap();
}
