//! Keys into a cluster, each to the node that has its slot.

use crate::clock::System;
use crate::cluster::Cluster;
use crate::dump_of;
use crate::servers::ALL;
use redkeep::export::CommandForm;
use redkeep::live::ConnectOptions;
use redkeep::live::cluster::ClusterNodes;
use redkeep::live::restore::{Conflict, RestoreOptions, RestoreOutcome, RestoreSink};
use redkeep::select::slot;
use redkeep::task::{RestoreChoice, restore};

fn put(cluster: &Cluster, dump: &[u8], options: RestoreOptions) -> RestoreOutcome {
    let look = ClusterNodes::look(&[ConnectOptions::new(cluster.url(0))]).unwrap();
    let clock = System::start();
    let sink = RestoreSink::cluster(&look, &clock, options).unwrap();
    restore(dump, &RestoreChoice::default(), sink).unwrap().keys
}

fn keys(cluster: &Cluster) -> Vec<usize> {
    (0..3)
        .map(|node| {
            redis::cmd("DBSIZE").query(&mut cluster.nodes[node].connect().unwrap()).unwrap()
        })
        .collect()
}

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn each_key_comes_to_its_node_also_where_slots_are_on_their_way() {
    let dump = dump_of("redis-6.2", &|connection| {
        let mut all = redis::pipe();
        for n in 0..3000 {
            all.cmd("RPUSH").arg(format!("list:{n}")).arg((0..5).collect::<Vec<_>>());
        }
        // All of one slot.
        for n in 0..50 {
            all.cmd("SET").arg(format!("{{b}}{n}")).arg(n);
        }
        all.exec(connection).unwrap();
    });
    for name in ALL {
        let cluster = Cluster::start(name, 3, &[]);
        for form in [CommandForm::Restore, CommandForm::Plain] {
            let options = || RestoreOptions::default().form(form).batch_keys(64);
            let outcome = put(&cluster, &dump, options());
            assert!(outcome.is_complete(), "{name}: {outcome:?}");
            assert_eq!(outcome.restored, 3050);
            let there = keys(&cluster);
            assert_eq!(there.iter().sum::<usize>(), 3050, "{name}");
            assert!(there.iter().all(|keys| *keys > 800), "{name}: {there:?}");
            assert_eq!(
                cluster.text(cluster.owner(slot(b"list:7")), &["LINDEX", "list:7", "4"]),
                "4"
            );
            let outcome = put(&cluster, &dump, options().conflict(Conflict::Skip));
            assert_eq!(outcome.skipped.existing, 3050, "{name}: {outcome:?}");
            (0..3).for_each(|node| cluster.run(node, &["FLUSHALL"]));
        }
        // Keys that the old node does not have are asked of the new one.
        let b = slot(b"b");
        let to = (cluster.owner(b) + 1) % 3;
        cluster.begin_move(b, to);
        for form in [CommandForm::Restore, CommandForm::Plain] {
            let outcome = put(&cluster, &dump, RestoreOptions::default().form(form));
            assert!(outcome.is_complete(), "{name}, {form:?}: {outcome:?}");
            assert_eq!(keys(&cluster).iter().sum::<usize>(), 3050, "{name}");
            (0..3).for_each(|node| cluster.run(node, &["FLUSHALL"]));
        }
        // A slot that has moved since the nodes were asked.
        let look = ClusterNodes::look(&[ConnectOptions::new(cluster.url(0))]).unwrap();
        cluster.end_move(b, to);
        let clock = System::start();
        let sink = RestoreSink::cluster(&look, &clock, RestoreOptions::default()).unwrap();
        let outcome = restore(&dump[..], &RestoreChoice::default(), sink).unwrap().keys;
        assert!(outcome.is_complete(), "{name}: {outcome:?}");
        assert_eq!(cluster.text(to, &["GET", "{b}7"]), "7", "{name}");
    }
}
