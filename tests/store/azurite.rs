//! Azure Blob Storage as azurite does it, Microsoft's own emulator.

use crate::component::{Running, ask, folder, free_port, until};
use crate::runtime::runtime;
use crate::{conforms, name};
use redkeep::Fault;
use redkeep::repo::store::{
    AzblobOptions, Bucket, ConformanceOptions, IfExists, OpendalStore, RemoteOptions, Store,
};

/// The account and the key that every azurite has.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// What that key signed: everything is allowed until 2099.
const SIGNATURE: &str = "sv=2020-08-04&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00%3A00%3A00Z&spr=https%2Chttp&sig=lP4358Cnz1iq8XYqBFoRARKlOuXCuZxE4Uf0d7qFrYE%3D";

struct Azurite {
    _running: Running,
    port: u16,
}

impl Azurite {
    /// Starts it with an empty container of this name.
    fn start(container: &str) -> Azurite {
        let port = free_port();
        let number = port.to_string();
        let quiet =
            ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"];
        let place = ["--blobHost", "127.0.0.1", "--blobPort", &number];
        let program = folder("azurite").join("server");
        let _running = Running::start(&program, &[&quiet[..], &place].concat());
        let azurite = Azurite { _running, port };
        until("azurite", || {
            azurite.ask("PUT", container, "").is_some_and(|(head, _)| head.contains(" 201 "))
        });
        azurite
    }

    fn ask(&self, method: &str, container: &str, more: &str) -> Option<(String, String)> {
        let path = format!("/{ACCOUNT}/{container}?restype=container{more}&{SIGNATURE}");
        ask(self.port, &format!("{method} {path}"), &["x-ms-version: 2020-08-04"])
    }

    fn container(&self, container: &str) -> AzblobOptions {
        let endpoint = format!("http://127.0.0.1:{}/{ACCOUNT}", self.port);
        AzblobOptions::new(container).endpoint(endpoint).account(ACCOUNT)
    }
}

#[test]
#[ignore = "needs azurite, which tests/run gets"]
fn a_container_keeps_every_promise() {
    let (azurite, runtime) = (Azurite::start("backups"), runtime());
    let store = |options: AzblobOptions| {
        let bucket = Bucket::azblob(&options).unwrap();
        OpendalStore::new(bucket, runtime.handle().clone(), &RemoteOptions::default())
    };
    let in_it = azurite.container("backups").key(KEY);
    let store_of = store(in_it.clone().root(name("redis/prod")));
    conforms(&store_of, &ConformanceOptions::default());
    store_of.put(&name("a/b"), b"1", IfExists::Refuse).unwrap();
    let whole = store(in_it);
    let listed = whole.list(None).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].name, name("redis/prod/a/b"));
    // With a signature for a credential the same is there, and can be changed.
    let signed = store(azurite.container("backups").signature(format!("?{SIGNATURE}")));
    assert_eq!(signed.get(&listed[0].name, 10).unwrap(), b"1");
    signed.delete(&listed[0].name).unwrap();
    conforms(&signed, &ConformanceOptions::default().big(9 << 20).writers(3));
}

#[test]
#[ignore = "needs azurite, which tests/run gets"]
fn a_list_longer_than_a_page_is_whole() {
    let (azurite, runtime) = (Azurite::start("many"), runtime());
    let bucket = Bucket::azblob(&azurite.container("many").key(KEY)).unwrap();
    let store = OpendalStore::new(bucket, runtime.handle().clone(), &RemoteOptions::default());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..1300 {
                    let object = name(&format!("b/{:04}", n * 4 + thread));
                    store.put(&object, b"1", IfExists::Replace).unwrap();
                }
            });
        }
    });
    let listed = store.list(Some(&name("b"))).unwrap();
    // A page has 5,000.
    assert_eq!(listed.len(), 5200);
    assert_eq!(listed[5199].name, name("b/5199"));
}

#[test]
#[ignore = "needs azurite, which tests/run gets"]
fn a_container_that_is_not_there_or_not_ours_is_not_empty() {
    let (azurite, runtime) = (Azurite::start("backups"), runtime());
    let store = |options: AzblobOptions| {
        let bucket = Bucket::azblob(&options).unwrap();
        OpendalStore::new(bucket, runtime.handle().clone(), &RemoteOptions::default())
    };
    let absent = store(azurite.container("other").key(KEY));
    assert!(absent.list(None).is_err());
    assert!(absent.put(&name("a"), b"1", IfExists::Refuse).is_err());
    let wrong = "d3JvbmcgYnV0IHNlY3JldA==";
    let denied = store(azurite.container("backups").key(wrong));
    for error in [
        denied.list(None).unwrap_err(),
        denied.put(&name("a"), b"1", IfExists::Replace).unwrap_err(),
    ] {
        assert_eq!(error.fault(), Some(Fault::StoreDenied), "{error}");
        assert!(!format!("{error} {error:?} {denied:?}").contains(wrong), "{error:?}");
    }
    let forged = SIGNATURE.replace("sig=lP", "sig=lQ");
    let denied = store(azurite.container("backups").signature(&forged));
    let error = denied.get(&name("a"), 10).unwrap_err();
    assert_eq!(error.fault(), Some(Fault::StoreDenied), "{error}");
    assert!(!format!("{error} {error:?} {denied:?}").contains("lQ4358"), "{error:?}");
}

#[cfg(feature = "live")]
#[test]
#[ignore = "needs azurite and a real server, which tests/run gets"]
fn backups_come_back() {
    let (azurite, runtime) = (Azurite::start("backups"), runtime());
    let container = azurite.container("backups").key(KEY).root(name("redis/prod"));
    let bucket = Bucket::azblob(&container).unwrap();
    let options = RemoteOptions::default();
    crate::backups::come_back(OpendalStore::new(bucket, runtime.handle().clone(), &options));
}
