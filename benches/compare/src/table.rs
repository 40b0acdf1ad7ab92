//! Medians, ratios and the table.

use std::fmt::Write;

use crate::Results;
use crate::child::Measured;
use crate::contenders::Contender;

/// A markdown table with one contender a row.
pub fn render(chosen: &[&Contender], results: &Results, file_bytes: u64) -> String {
    let mut out = String::from(
        "| contender | CPU s | user | sys | GB/s | peak MiB | x redkeep | keys | elements | how |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---|\n",
    );
    let of = |c: &Contender| results.get(c.name).and_then(|r| r.as_ref().ok());
    let base = chosen.first().filter(|c| c.is_redkeep()).and_then(|c| of(c));
    for c in chosen {
        let Some(runs) = of(c) else {
            let why = results.get(c.name).and_then(|r| r.as_ref().err());
            let why = why.map_or("", String::as_str);
            let _ = writeln!(out, "| {} | | | | | | | | | {why} |", c.name);
            continue;
        };
        let over = |f: fn(&Measured) -> f64| median(runs.iter().map(f).collect());
        let cpu = over(Measured::cpu);
        // Each round against the same round of redkeep: both met the same moment of the machine.
        let ratio = base.map(|base| {
            median(runs.iter().zip(base).map(|(run, base)| run.cpu() / base.cpu()).collect())
        });
        let delivered = runs.first().map(|run| run.delivered).unwrap_or_default();
        let _ = writeln!(
            out,
            "| {} | {cpu:.3} | {:.3} | {:.3} | {:.2} | {:.1} | {} | {} | {} | {} |",
            c.name,
            over(|run| run.user),
            over(|run| run.system),
            file_bytes as f64 / cpu / 1e9,
            over(|run| run.peak_kib as f64 / 1024.0),
            ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")),
            count(delivered.keys),
            count(delivered.elements),
            c.what,
        );
    }
    out
}

/// Nothing, where a contender does not tell.
fn count(n: u64) -> String {
    if n == 0 { String::new() } else { n.to_string() }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len() % 2, values.get(middle)) {
        (1, Some(value)) => *value,
        (0, Some(above)) => (values[middle - 1] + above) / 2.0,
        _ => f64::NAN,
    }
}
