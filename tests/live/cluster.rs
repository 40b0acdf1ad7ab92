//! Clusters: who has what, what is on its way, and the ways to the nodes.

use crate::cluster::Cluster;
use crate::servers::ALL;
use crate::{open, run, start};
use redkeep::live::cluster::{ClusterNodes, SlotRange};
use redkeep::live::{ConnectOptions, Connection};
use redkeep::select::slot;
use redkeep::{Error, Fault};

fn seed(cluster: &Cluster, index: usize) -> ConnectOptions {
    ConnectOptions::new(cluster.url(index))
}

fn text(connection: &mut Connection, line: &str) -> String {
    let mut command = redis::Cmd::new();
    command.arg(line.split(' ').collect::<Vec<_>>());
    command.query(connection).unwrap()
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn all_masters_of_a_cluster_are_found_from_any_of_them() {
    for name in ALL {
        let mut cluster = Cluster::start(name, 3, &[]);
        let replica = cluster.add_replica(1);
        cluster.set(slot(b"foo"), "foo", "bar");
        for from in [0, 2, replica] {
            // A seed that is gone is passed over.
            let gone = ConnectOptions::new("redis://127.0.0.1:1");
            let look = ClusterNodes::look(&[gone, seed(&cluster, from)]).unwrap();
            assert!(look.silent.is_empty() && look.nodes.moving_known, "{name}: {look:?}");
            look.nodes.complete().unwrap();
            let ids: Vec<_> =
                look.nodes.shards.iter().map(|shard| shard.master.id.clone()).collect();
            assert_eq!(ids, [0, 1, 2].map(|index| cluster.id(index)), "{name}");
            for (index, shard) in look.nodes.shards.iter().enumerate() {
                assert_eq!(shard.master.port, cluster.nodes[index].port(), "{name}");
                let mut master = shard.open_master(&look.asked).unwrap();
                assert_eq!(text(&mut master, "CLUSTER MYID"), shard.master.id, "{name}");
            }
            let shard = look.nodes.shard_of(slot(b"foo")).unwrap();
            let mut master = shard.open_master(&look.asked).unwrap();
            assert_eq!(text(&mut master, "GET foo"), "bar", "{name}");
            let mut copy = look.nodes.shards[1].open_replica(&look.asked).unwrap();
            assert_eq!(text(&mut copy, "CLUSTER MYID"), cluster.id(replica), "{name}");
            let error = look.nodes.shards[0].open_replica(&look.asked).err().unwrap();
            assert_eq!(error.fault(), Some(Fault::NoServer), "{name}: {error}");
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_slot_on_its_way_is_seen_from_any_node_and_so_is_that_it_moved() {
    for name in ALL {
        let cluster = Cluster::start(name, 3, &[]);
        let foo = slot(b"foo");
        cluster.set(foo, "foo", "bar");
        let to = (cluster.owner(foo) + 1) % 3;
        let other = (cluster.owner(foo) + 2) % 3;
        let look = || ClusterNodes::look(&[seed(&cluster, other)]).unwrap().nodes;
        let before = look();
        assert!(before.changed(&look()).is_empty(), "{name}");
        cluster.begin_move(foo, to);
        let during = look();
        let [moving] = during.moving.as_slice() else { panic!("{name}: {:?}", during.moving) };
        assert_eq!((moving.slot, &moving.to), (foo, &cluster.id(to)), "{name}");
        assert_eq!(moving.from, cluster.id(cluster.owner(foo)), "{name}");
        let range = SlotRange { first: foo, last: foo };
        assert_eq!(before.changed(&during).moving, [range], "{name}");
        assert!(before.changed(&during).moved.is_empty(), "{name}");
        cluster.migrate(foo, "foo", to);
        cluster.end_move(foo, to);
        crate::cluster::wait("all agree who has the slot", || {
            ClusterNodes::look(&[seed(&cluster, other)]).is_ok()
        });
        let after = look();
        assert_eq!(before.changed(&after).moved, [range], "{name}");
        assert_eq!(after.shard_of(foo).unwrap().master.id, cluster.id(to), "{name}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn what_is_missing_in_a_cluster_is_named() {
    for name in ALL {
        let cluster = Cluster::start(name, 2, &[]);
        cluster.run(0, &["CLUSTER", "DELSLOTS", "7"]);
        let nodes = ClusterNodes::ask(&mut Connection::open(seed(&cluster, 0)).unwrap()).unwrap();
        let error = nodes.complete().unwrap_err();
        assert_eq!(error.fault(), Some(Fault::SlotsUnassigned), "{name}");
        assert!(error.to_string().ends_with(": 7"), "{name}: {error}");
        // The other one does not know yet, or never will: who has it, is open.
        match ClusterNodes::look(&[seed(&cluster, 1)]) {
            Err(error) => assert_eq!(error.fault(), Some(Fault::ServerBusy), "{name}: {error}"),
            Ok(look) => drop(look.nodes.complete().unwrap_err()),
        }
        let alone = start(name, &[]);
        let error = ClusterNodes::ask(&mut open(&alone)).unwrap_err();
        assert!(error.to_string().contains("cluster support disabled"), "{name}: {error}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_master_that_is_gone_is_named_and_so_is_what_its_replica_lacks() {
    for name in ALL {
        let mut cluster = Cluster::start(name, 3, &["--cluster-replica-no-failover", "yes"]);
        let replica = cluster.add_replica(2);
        let id = cluster.id(2);
        let before = ClusterNodes::look(&[seed(&cluster, 2)]).unwrap();
        let gone = cluster.nodes.remove(2);
        drop(gone);
        let look = ClusterNodes::look(&before.seeds()).unwrap();
        assert!(before.nodes.changed(&look.nodes).moved.is_empty(), "{name}");
        let [silent] = look.silent.as_slice() else { panic!("{name}: {look:?}") };
        assert_eq!(silent.id, id, "{name}");
        assert!(silent.why.contains(&silent.address), "{name}: {silent:?}");
        assert!(!look.nodes.moving_known, "{name}");
        let shard = &look.nodes.shards[2];
        assert!(shard.open_master(&look.asked).err().unwrap().is_io(), "{name}");
        // It lost its master, so what it has may be old.
        let error: Error = shard.open_replica(&look.asked).err().unwrap();
        let port = cluster.nodes[replica - 1].port().to_string();
        assert!(error.to_string().contains(&port), "{name}: {error}");
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn a_user_of_a_cluster_needs_few_rights_and_its_password_is_not_shown() {
    for name in ALL {
        let cluster = Cluster::start(name, 2, &[]);
        let rights = ["+cluster|nodes", "+cluster|slots", "+role"];
        for node in 0..2 {
            let user = ["ACL", "SETUSER", "bk", "on", ">s3cret", "-@all"];
            cluster.run(node, &[&user[..], &rights].concat());
        }
        let login = |index| seed(&cluster, index).username("bk").password("s3cret");
        let look = ClusterNodes::look(&[login(0)]).unwrap();
        assert!(look.silent.is_empty(), "{name}: {look:?}");
        look.nodes.shards.iter().for_each(|shard| {
            shard.open_master(&look.asked).unwrap();
        });
        assert!(!format!("{look:?}").contains("s3cret"), "{name}");
        let wrong = || seed(&cluster, 0).username("bk").password("wr0ng");
        let error = ClusterNodes::look(&[wrong(), wrong()]).unwrap_err();
        assert_eq!(error.fault(), Some(Fault::ServerDenied), "{name}: {error}");
        assert!(!format!("{error} {error:?}").contains("wr0ng"), "{name}");
        if name != "redis-6.2" {
            run(&mut Connection::open(seed(&cluster, 0)).unwrap(), "ACL SETUSER bk -cluster|nodes");
            let look = ClusterNodes::look(&[login(0)]).unwrap();
            assert!(!look.nodes.moving_known && look.nodes.shards.len() == 2, "{name}: {look:?}");
        }
    }
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn the_names_that_nodes_want_to_be_called_by_are_used() {
    for name in ["redis-7.0", "redis-8.0", "valkey-9.1"] {
        let names = ["--cluster-announce-hostname", "localhost"];
        let wish = ["--cluster-preferred-endpoint-type", "hostname"];
        let cluster = Cluster::start(name, 2, &[names, wish].concat());
        let look = ClusterNodes::look(&[seed(&cluster, 0)]).unwrap();
        let hosts: Vec<_> =
            look.nodes.shards.iter().map(|shard| shard.master.host.as_deref()).collect();
        assert_eq!(hosts, [Some("localhost"); 2], "{name}");
        look.nodes.shards.iter().for_each(|shard| {
            shard.open_master(&look.asked).unwrap();
        });
    }
}
