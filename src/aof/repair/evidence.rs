//! What can still be read in bytes that are lost.

use crate::aof::commands::CommandSpec;
use crate::aof::repair::chain::{self, Fuel};
use crate::aof::repair::plan::{Doubt, Loss};
use crate::aof::resp::{Command, Walk};
use crate::aof::write_command;
use crate::error::printable;
use crate::wire::cursor::part;

/// Names and keys that a report still lists.
const LISTED: usize = 16;

/// Arguments of a broken command that are read: its keys are among the first.
const ARGUMENTS: usize = 64;

/// Bytes of a gap that are looked into.
pub(crate) const READ: usize = 1 << 20;

/// Fills in what the bytes of a loss, or the first of them, tell. `whole` says that they are all of
/// one command and nothing else.
pub(crate) fn read(loss: &mut Loss, bytes: &[u8], whole: bool) {
    let unread = if whole { Doubt::No } else { Doubt::Possible };
    (loss.select, loss.transaction) = (unread, unread);
    list(loss, bytes);
    if !whole && loss.names.is_empty() {
        loss.commands = loss.commands.max(1);
    }
}

/// Adds the commands, names and keys that can be read.
fn list(loss: &mut Loss, bytes: &[u8]) {
    let mut fuel = Fuel::little();
    let mut at = 0;
    while !fuel.is_out() {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(skip) = rest.iter().position(|byte| *byte == b'*') else { break };
        at += skip;
        let rest = bytes.get(at..).unwrap_or_default();
        if let Ok(len) = chain::command(rest, &mut fuel) {
            loss.commands += 1;
            if let Ok(command) = Command::parse(part(rest, 0, len)) {
                note(loss, command);
            }
            at += len;
            continue;
        }
        let args = arguments(rest);
        fuel.spend(args.len());
        let mut written = Vec::new();
        if write_command(&args, &mut written).is_ok()
            && let Ok(command) = Command::parse(&written)
        {
            note(loss, command);
        }
        at += 1;
    }
}

/// Fills in the names and keys of sound commands that go.
pub(crate) fn name(loss: &mut Loss, bytes: &[u8]) {
    let mut read = Loss::new(loss.from, loss.to, loss.cause);
    list(&mut read, bytes);
    (loss.names, loss.keys) = (read.names, read.keys);
}

fn note(loss: &mut Loss, command: Command<'_>) {
    let Some(spec) = CommandSpec::of(&command) else { return };
    match spec.name() {
        "SELECT" => loss.select = Doubt::Seen,
        "MULTI" | "EXEC" => loss.transaction = Doubt::Seen,
        _ => {}
    }
    let list = |list: &mut Vec<String>, text: String| {
        if list.len() < LISTED && !list.contains(&text) {
            list.push(text);
        }
    };
    list(&mut loss.names, spec.name().to_owned());
    for key in spec.keys(command) {
        list(&mut loss.keys, printable(key));
    }
}

/// The arguments that a broken command still has in front of the break.
fn arguments(bytes: &[u8]) -> Vec<&[u8]> {
    let mut args = Vec::new();
    let Some(line) = bytes.iter().take(16).position(|byte| *byte == b'\n') else { return args };
    let mut at = line + 1;
    while args.len() < ARGUMENTS {
        let mut one = Walk::resume(1, at);
        if one.run(bytes).is_err() {
            break;
        }
        args.extend(one.command(bytes).args().next());
        at = one.at;
    }
    args
}
