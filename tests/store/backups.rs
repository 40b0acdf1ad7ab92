//! A real server backed up into a store: what comes back loads, and is what it held.

use crate::clock::System;
use crate::seal_laws;
use crate::servers::Server;
use redkeep::UnixMillis;
use redkeep::live::{ConnectOptions, Connection};
use redkeep::repo::seal::Recipients;
use redkeep::repo::store::Store;
use redkeep::repo::{Archive, Pick};
use redkeep::task::{
    BackupOptions, FetchOptions, SealChoice, SnapshotOptions, VerifyOptions, backup_server, fetch,
    verify,
};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::SystemTime;

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    UnixMillis::new(since.as_millis().try_into().unwrap())
}

fn digest(server: &Server) -> String {
    redis::cmd("DEBUG").arg("DIGEST").query(&mut server.connect().unwrap()).unwrap()
}

pub(crate) fn come_back(store: impl Store + 'static) {
    let dump =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/redis-7.0.15/default/dump.rdb");
    let server = Server::start("redis-7.0", Some(&std::fs::read(dump).unwrap())).unwrap();
    let archive = Archive::create(store).unwrap();
    let url = format!("redis://127.0.0.1:{}", server.port());
    let keys = Recipients::parse(seal_laws::PUBLIC).unwrap();
    // Volumes of a few parts each, and several of them.
    let seal = SealChoice::default().recipients(keys).volume(30_000);
    let options = BackupOptions::default().seal(seal);
    for _ in 0..2 {
        let mut connection = Connection::open(ConnectOptions::new(&url)).unwrap();
        let how = SnapshotOptions::default();
        let on = &mut |_: &_| ControlFlow::Continue(());
        let made =
            backup_server(&archive, &mut connection, &System::start(), &how, &now, &options, on);
        assert!(made.unwrap().is_sound());
    }
    assert_eq!(archive.backups(&options.stream).unwrap().len(), 2);
    let id = archive.find(&options.stream, &Pick::Latest).unwrap();
    let on = &mut |_, _| ControlFlow::Continue(());
    let verify_options = VerifyOptions::default().open(seal_laws::ours());
    let found = verify(&archive, &options.stream, id, &now, &verify_options, on).unwrap();
    assert!(found.passed(), "{:?}", found.problems);
    let stored = archive.backup(&options.stream, id).unwrap();
    assert_eq!(stored.certificates().unwrap(), [found]);
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("dump.rdb");
    fetch(&stored, &to, &FetchOptions::default().open(seal_laws::ours()), on).unwrap();
    let again = Server::start("redis-7.0", Some(&std::fs::read(&to).unwrap())).unwrap();
    assert_eq!(digest(&again), digest(&server));
}
