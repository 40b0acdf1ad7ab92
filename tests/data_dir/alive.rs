//! Servers that are alive on a directory, or seem to be, or do not.

use crate::servers::{ALL, Server};
use crate::{System, all, directory, dump, options, plan, restore, server, states};
use redkeep::live::ConnectOptions;
use redkeep::task::data_dir::{
    AppendOnly, DataDirObstacle, DataDirOptions, DataDirPlan, DataDirSource,
};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn in_use(plan: &DataDirPlan) -> bool {
    plan.obstacles.iter().any(|found| matches!(found, DataDirObstacle::Process { .. }))
}

/// Ended when dropped.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn apply(plan: &DataDirPlan) -> redkeep::Result<redkeep::task::data_dir::DataDirOutcome> {
    plan.apply(DataDirSource::Dump(&dump("new", "1")[..]), &System::start())
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_directory_with_a_server_on_it_is_refused_however_the_server_is_doing() {
    for name in ALL {
        for setting in ["yes", "no"] {
            let running =
                Server::start_in(name, tempfile::tempdir().unwrap(), &["--appendonly", setting])
                    .unwrap();
            let free = directory(&states()[6].1);
            let (early, dir) =
                (plan(free.path(), &options(name, AppendOnly::Yes)), running.folder());
            assert!(!in_use(&early), "{early}");
            let pid = pid(&running);
            for signal in ["-CONT", "-STOP"] {
                signal_to(&pid, signal);
                let before = all(dir);
                let plan = plan(dir, &options(name, AppendOnly::Unknown));
                let found = plan.obstacles.iter().any(|found| {
                    matches!(found, DataDirObstacle::Process { pid: its, .. } if its.to_string() == pid)
                });
                assert!(found, "{name}, {signal}: {plan}");
                let error = apply(&plan).unwrap_err().to_string();
                assert!(error.contains("stop it first"), "{error}");
                assert!(all(dir) == before);
            }
            signal_to(&pid, "-CONT");
            let path = dir.to_owned();
            let kept = std::fs::canonicalize(&path).unwrap();
            drop(running);
            assert!(!kept.exists());
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_server_that_was_started_since_the_plan_is_found_before_anything_is_touched() {
    for name in ALL {
        let folder = directory(&[("dump.rdb", dump("stale", "1"))]);
        let plan = plan(folder.path(), &options(name, AppendOnly::No));
        assert!(plan.obstacles.is_empty(), "{plan}");
        let path = folder.path().to_str().unwrap();
        let _server =
            Server::start_in(name, tempfile::tempdir().unwrap(), &["--dir", path]).unwrap();
        let before = all(folder.path());
        let error = apply(&plan).unwrap_err().to_string();
        assert!(
            error.contains("since the plan was made") && error.contains("stop it first"),
            "{error}"
        );
        assert!(all(folder.path()) == before, "{name}");
    }
}

/// The child that saves outlives its server, and renames its file over whatever is there.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_save_whose_server_was_killed_is_waited_for() {
    for name in ALL {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap().to_owned();
        let settings = ["--dir", &path, "--rdb-key-save-delay", "1000"];
        let server = Server::start_in(name, tempfile::tempdir().unwrap(), &settings).unwrap();
        let mut connection = server.connect().unwrap();
        for number in 0..2000 {
            redis::cmd("SET").arg(number).arg(number).exec(&mut connection).unwrap();
        }
        redis::cmd("BGSAVE").exec(&mut connection).unwrap();
        let pid = pid(&server);
        let child = children(&pid);
        wait_for(|| folder.path().read_dir().unwrap().count() == 1);
        // It would end by itself where it happens to report to the server that is gone.
        signal_to(&child, "-STOP");
        // `kill -9`.
        drop(server);
        let plan = plan(folder.path(), &options(name, AppendOnly::No));
        let found = plan.obstacles.iter().any(|found| {
            matches!(found, DataDirObstacle::Process { pid: its, .. } if its.to_string() == child)
        });
        assert!(found, "{name}: {plan}");
        signal_to(&child, "-KILL");
        wait_for(|| std::fs::metadata(format!("/proc/{child}/cwd")).is_err());
        // What it leaves is no obstacle, and is named.
        let plan = crate::plan(folder.path(), &options(name, AppendOnly::No));
        assert!(plan.obstacles.is_empty(), "{plan}");
        assert!(plan.notes.iter().any(|note| note.contains("temp-")), "{plan}");
        apply(&plan).unwrap();
    }
}

#[test]
fn a_file_of_a_save_that_grows_has_a_writer_and_one_that_does_not_is_left_alone() {
    for (name, place) in [
        ("temp-77.rdb", "temp-77.rdb"),
        ("temp-rewriteaof-77.aof", "appendonlydir/temp-rewriteaof-bg-77.aof"),
    ] {
        let dir = directory(&[(name, b"half".to_vec()), (place, b"half".to_vec())]);
        let still = plan(dir.path(), &options("redis-7.2", AppendOnly::No));
        assert!(
            still.obstacles.is_empty() && still.notes.iter().any(|note| note.contains(name)),
            "{still}"
        );
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut file =
                    std::fs::OpenOptions::new().append(true).open(dir.path().join(place)).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    file.write_all(b"more").unwrap();
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let growing = plan(dir.path(), &options("redis-7.2", AppendOnly::No));
            let again = apply(&still);
            stop.store(true, Ordering::Relaxed);
            let saving = |found: &DataDirObstacle| matches!(found, DataDirObstacle::Saving { .. });
            assert!(growing.obstacles.iter().any(saving), "{growing}");
            assert!(again.unwrap_err().to_string().contains("save or rewrite"));
        });
        assert!(!dir.path().join("dump.rdb").exists());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn somebody_elses_shell_in_the_directory_is_named_and_no_obstacle() {
    let dir = directory(&[]);
    let shell =
        Command::new("sleep").arg("60").current_dir(dir.path()).stdin(Stdio::null()).spawn();
    let shell = Ends(shell.unwrap());
    let pid = shell.0.id().to_string();
    let plan = plan(dir.path(), &options("redis-7.2", AppendOnly::No));
    assert!(plan.obstacles.is_empty(), "{plan}");
    assert!(plan.notes.iter().any(|note| note.contains(&pid) && note.contains("sleep")), "{plan}");
    apply(&plan).unwrap();
}

/// A settings file that says where the server would answer.
fn conf(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_server_that_answers_is_asked_for_its_directory() {
    let answers = |plan: &DataDirPlan| {
        let found = |found: &&DataDirObstacle| matches!(found, DataDirObstacle::Answers { .. });
        plan.obstacles.iter().find(found).map(ToString::to_string)
    };
    for name in ALL {
        let socket = tempfile::tempdir().unwrap();
        let socket = socket.path().join("s.sock");
        let _ = std::fs::create_dir_all(socket.parent().unwrap());
        let unix = socket.to_str().unwrap().to_owned();
        let running =
            Server::start_in(name, tempfile::tempdir().unwrap(), &["--unixsocket", &unix]).unwrap();
        let elsewhere = directory(&[]);
        for text in [format!("port {}\n", running.port()), format!("port 0\nunixsocket {unix}\n")] {
            let file = conf(&text);
            let asked = DataDirOptions::new(server(name)).conf(file.path());
            let here = answers(&plan(running.folder(), &asked)).expect(name);
            assert!(here.contains("this is its directory"), "{here}");
            let there = plan(elsewhere.path(), &asked);
            assert!(there.obstacles.is_empty(), "{there}");
            assert!(there.notes.iter().any(|note| note.contains("its directory is")), "{there}");
        }
        let _ = std::fs::remove_dir_all(socket.parent().unwrap());
        drop(running);
        // One that lets nobody ask may be anybody's.
        let settings = ["--requirepass", "s3cret"];
        let closed = Server::start_in(name, tempfile::tempdir().unwrap(), &settings).unwrap();
        let file = conf(&format!("port {}\nrequirepass s3cret\n", closed.port()));
        let asked = DataDirOptions::new(server(name)).conf(file.path());
        let refused = plan(elsewhere.path(), &asked);
        let words = answers(&refused).expect(name);
        assert!(words.contains("does not say"), "{words}");
        assert!(!format!("{refused} {refused:?}").contains("s3cret"));
        assert!(restore(elsewhere.path(), &asked, &dump("a", "1")).is_err());
        // Asked with the password it says that it is another's.
        let url =
            ConnectOptions::new(format!("redis://127.0.0.1:{}", closed.port())).password("s3cret");
        let open = plan(elsewhere.path(), &asked.clone().ask(url));
        assert!(open.obstacles.is_empty(), "{open}");
        assert!(!format!("{open} {open:?}").contains("s3cret"));
    }
}

#[test]
fn where_nobody_answers_nothing_stands_in_the_way() {
    let dir = directory(&[]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for text in [
        format!("port {port}"),
        format!("port 0\ntls-port {port}"),
        "port 0\nunixsocket gone.sock".to_owned(),
    ] {
        let file = conf(&text);
        let plan = plan(dir.path(), &DataDirOptions::new(server("redis-7.2")).conf(file.path()));
        assert!(plan.obstacles.is_empty(), "{text}: {plan}");
    }
    let file = conf(&format!("port {port}\nbind 192.0.2.7"));
    let plan = plan(dir.path(), &DataDirOptions::new(server("redis-7.2")).conf(file.path()));
    assert!(plan.unseen.iter().any(|what| what.contains("192.0.2.7")), "{plan}");
}

#[test]
fn what_takes_connections_and_speaks_something_else_may_be_the_server() {
    let dir = directory(&[]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            drop(stream);
        }
    });
    for text in [format!("port 0\ntls-port {port}"), format!("port {port}")] {
        let file = conf(&text);
        let plan = plan(dir.path(), &DataDirOptions::new(server("redis-7.2")).conf(file.path()));
        let found = |found: &DataDirObstacle| matches!(found, DataDirObstacle::Answers { .. });
        assert!(plan.obstacles.iter().any(found), "{text}: {plan}");
    }
    let asked = options("redis-7.2", AppendOnly::No);
    let nonsense = asked.clone().ask(ConnectOptions::new("redis//:s3cret@h"));
    let error = redkeep::task::data_dir::plan_data_dir(dir.path(), &nonsense, &System::start());
    assert_eq!(error.unwrap_err().kind(), redkeep::ErrorKind::Usage);
    let nowhere = plan(dir.path(), &asked.ask(ConnectOptions::new("redis://nowhere.invalid")));
    assert!(
        nowhere.obstacles.is_empty()
            && nowhere.unseen.iter().any(|what| what.contains("nowhere.invalid")),
        "{nowhere}"
    );
}

/// The process that a server says it is.
fn pid(server: &Server) -> String {
    let mut connection = server.connect().unwrap();
    let info: String = redis::cmd("INFO").arg("server").query(&mut connection).unwrap();
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:"));
    pid.unwrap().trim().to_owned()
}

/// The child of a server that saves.
fn children(pid: &str) -> String {
    let mut child = None;
    wait_for(|| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        child = text.split_ascii_whitespace().next().map(str::to_owned);
        child.is_some()
    });
    child.unwrap()
}

fn wait_for(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn signal_to(pid: &str, signal: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
}
