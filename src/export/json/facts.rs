//! Lines that tell of the file and not of a key.

use super::lines::Lines;
use crate::error::Result;
use crate::rdb::encoding::module::ModuleId;
use crate::rdb::{Event, EventKind, Function, HashTemplate, ModuleAux, SlotImport, Str, StrBuf};
use crate::wire::cursor::Cursor;

/// Writes the line of an event that has one, without its end; whether it has one.
pub(super) fn fact(event: &Event<'_>, lines: &mut Lines, buf: &mut StrBuf) -> Result<bool> {
    lines.begin();
    match event.kind() {
        EventKind::Header(header) => {
            named(lines, "header");
            lines.text.put(b",\"magic\":");
            lines.text.string(header.to_string().as_bytes());
        }
        EventKind::Aux(aux) => {
            named(lines, "aux");
            string(lines, b",\"name\":", aux.name, buf)?;
            string(lines, b",\"value\":", aux.value, buf)?;
        }
        EventKind::Function(function) => self::function(&function, lines, buf)?,
        EventKind::SlotInfo { slot, keys, expires } => {
            named(lines, "slot_info");
            number(lines, b",\"slot\":", slot);
            number(lines, b",\"keys\":", keys);
            number(lines, b",\"expires\":", expires);
        }
        EventKind::SlotImport(import) => slot_import(&import, lines, buf)?,
        EventKind::HashTemplate(template) => hash_template(&template, lines, buf)?,
        _ => {
            lines.cut();
            return Ok(false);
        }
    }
    lines.text.push(b'}');
    Ok(true)
}

/// The line of a module's data up to where its base64 begins.
pub(super) fn module_aux(aux: &ModuleAux<'_>, lines: &mut Lines) {
    named(lines, "module_aux");
    lines.text.put(b",\"module\":");
    module(aux.module, lines);
    number(lines, b",\"when\":", aux.when);
    lines.text.put(b",\"b64\":\"");
}

/// A module's name and version, from behind the colon on.
pub(super) fn module(module: ModuleId, lines: &mut Lines) {
    lines.text.string(module.name().as_bytes());
    number(lines, b",\"version\":", module.version());
}

fn function(function: &Function<'_>, lines: &mut Lines, buf: &mut StrBuf) -> Result<()> {
    named(lines, "function");
    if let Some((name, engine)) = function.pre_ga {
        string(lines, b",\"name\":", name, buf)?;
        string(lines, b",\"engine\":", engine, buf)?;
        if let Some(description) = description(function) {
            string(lines, b",\"description\":", description, buf)?;
        }
    }
    string(lines, b",\"code\":", function.code, buf)
}

/// What stands between engine and code in the record of the release candidates.
fn description<'a>(function: &Function<'a>) -> Option<Str<'a>> {
    let mut c = Cursor::new(function.raw());
    c.byte().ok()?;
    c.string().ok()?;
    c.string().ok()?;
    if c.length().ok()? == 0 { None } else { c.string().ok() }
}

fn slot_import(import: &SlotImport<'_>, lines: &mut Lines, buf: &mut StrBuf) -> Result<()> {
    named(lines, "slot_import");
    string(lines, b",\"job\":", import.job, buf)?;
    let mut before = &b",\"ranges\":["[..];
    for (first, last) in import.ranges() {
        lines.text.put(before);
        number(lines, b"[", first);
        number(lines, b",", last);
        lines.text.push(b']');
        before = b",";
    }
    lines.text.push(b']');
    Ok(())
}

fn hash_template(template: &HashTemplate<'_>, lines: &mut Lines, buf: &mut StrBuf) -> Result<()> {
    named(lines, "hash_template");
    number(lines, b",\"id\":", template.id);
    let mut c = Cursor::new(template.raw);
    let mut before = &b",\"fields\":["[..];
    while let Ok(name) = c.string() {
        string(lines, before, name, buf)?;
        before = b",";
    }
    lines.text.push(b']');
    Ok(())
}

fn named(lines: &mut Lines, fact: &str) {
    lines.text.put(b"{\"fact\":");
    lines.text.string(fact.as_bytes());
}

fn number(lines: &mut Lines, before: &[u8], n: u64) {
    lines.text.put(before);
    lines.text.unsigned(n);
}

fn string(lines: &mut Lines, before: &[u8], text: Str<'_>, buf: &mut StrBuf) -> Result<()> {
    lines.text.put(before);
    lines.text.scalar(text.scalar(buf)?);
    Ok(())
}
