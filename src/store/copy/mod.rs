//! Copying all of a database into an empty one, of the same kind or the other.
//!
//! What there is to copy is asked of the schema (`tables`), not listed here; sealed values are copied as they are, without the
//! secret. The source is read at one moment, so it may be in use; what is written to it afterwards is not in the copy. The target
//! is filled in one transaction, and compared before that is committed: each table's rows, and a checksum over all that stands
//! in it. A copy that fails, or is not the same, leaves the target as empty as it was.

mod line;
mod tables;
mod value;

use anyhow::{Context, bail};
use futures_util::TryStreamExt;

use self::line::Line;
use self::tables::Table;
use super::migrations;
use crate::secret::Sha256;

/// Rows, and bytes of them, that are written at once, at most.
const BATCH: (usize, usize) = (1000, 4 << 20);

/// Of tables that are in the way.
const NAMED: usize = 5;

const GIVE_ANOTHER: &str = "Nothing was copied. Give a new file, or a new Postgres database or schema, on which no service was \
                            started yet";

/// How far a copy is.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// Rows that are there to be copied, and then to be checked.
    Total(u64),
    /// What is begun.
    Copying(&'a str),
    Checking(&'a str),
    /// Rows that were copied, or checked, since the last time.
    Done(u64),
}

/// A table on both sides.
#[derive(Clone, Debug)]
pub struct Compared {
    pub table: String,
    pub from: Sum,
    pub to: Sum,
}

impl Compared {
    pub fn is_same(&self) -> bool {
        self.from == self.to
    }
}

/// What stands in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    pub rows: u64,
    /// SHA-256 over its rows in the order of its primary key, each as a line of text.
    pub checksum: [u8; 32],
}

/// Copies the database at `from` into the one at `to`. Nothing was written where a table is not the same.
pub async fn copy(from: &str, to: &str, mut on: impl FnMut(Step<'_>)) -> anyhow::Result<Vec<Compared>> {
    let (mut fresh, mut tables) = tables::fresh().await?;
    let mut source = Line::to_read(from).await.context("the source")?;
    must_be_at_our_version(&mut source).await.context("the source")?;
    let empty = sums(&mut fresh, &tables).await?;
    let mut target = Line::to_fill(to, async |line| must_be_unused(line, &tables, &empty).await)
        .await
        .context("the target")?;
    must_be_at_our_version(&mut target).await.context("the target")?;
    for types in [source.types().await?, target.types().await?].into_iter().flatten() {
        tables::learn(&mut tables, &types)?;
    }
    prepare(&mut target, &tables, &sums(&mut fresh, &tables).await?).await.context("the target")?;

    let mut total = 0;
    for table in &tables {
        total += count(&mut source, table).await?;
    }
    on(Step::Total(total));
    let mut compared = Vec::new();
    for table in &tables {
        on(Step::Copying(&table.name));
        let from = fill(&mut source, &mut target, table, &mut on).await;
        let from = from.with_context(|| format!("can't copy {}; the target is as it was", table.name))?;
        compared.push((table, from));
    }
    let mut sides = Vec::new();
    for (table, from) in compared {
        on(Step::Checking(&table.name));
        let to = sum(&mut target, table, &mut on).await;
        let to = to.with_context(|| format!("can't check {}; the target is as it was", table.name))?;
        if let Line::Postgres(_) = target {
            // Else its plans would be those for empty tables, for the first minute.
            target.execute(format!("analyze \"{}\"", table.name)).await?;
        }
        sides.push(Compared { table: table.name.clone(), from, to });
    }
    target.execute(if sides.iter().all(Compared::is_same) { "commit" } else { "rollback" }).await?;
    target.close().await?;
    source.close().await?;
    Ok(sides)
}

async fn must_be_at_our_version(line: &mut Line) -> anyhow::Result<()> {
    let (applied, ours) = (line.migrations().await?, migrations::numbers());
    let newest = |numbers: &[i64]| numbers.last().copied().unwrap_or(0);
    let (its, our) = (newest(&applied), newest(&ours));
    if applied.is_empty() {
        bail!("there is no schema of Portcullis: check the URL");
    }
    if its > our {
        bail!(newer(its));
    }
    if applied != ours {
        bail!(
            "it is at migration {its}, and this version of Portcullis at {our}. It is not changed here: bring it up to date \
             with `portcullis migrate` first, or copy it with the version that it is at"
        );
    }
    Ok(())
}

fn newer(its: i64) -> String {
    let our = migrations::numbers().last().copied().unwrap_or(0);
    format!(
        "it was migrated by a newer version of Portcullis (to {its}; this one knows {our}): copy it with that version"
    )
}

/// Before a schema is made, or brought up to date: nobody's data may be there, and nothing that the schema would meet.
async fn must_be_unused(line: &mut Line, tables: &[Table], empty: &[Sum]) -> anyhow::Result<()> {
    let state = line.state().await?;
    if let Some(its) = state.newer.last() {
        bail!("{}. Nothing was copied", newer(*its));
    }
    if !state.broken.is_empty() {
        bail!(
            "its schema is not one of Portcullis: of the migrations {:?} it has another text, the half, or nothing. {GIVE_ANOTHER}",
            state.broken
        );
    }
    // Where none was run, one of the same name is somebody else's.
    let is_ours = |name: &String| {
        name == "_sqlx_migrations" || state.applied > 0 && tables.iter().any(|table| table.name == *name)
    };
    let others: Vec<_> = line.relations().await?.into_iter().filter(|name| !is_ours(name)).collect();
    if !others.is_empty() {
        let more = others.len().saturating_sub(NAMED);
        let named = others.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        bail!("it is not empty: there are tables of something else ({named}{more}). {GIVE_ANOTHER}");
    }
    let mut found = Vec::new();
    for (table, empty) in tables.iter().zip(empty) {
        if empty.rows == 0 && line.has(&table.name).await? {
            found.push((table, count(line, table).await?));
        }
    }
    refuse(found)
}

/// Locks the target's tables, makes sure that they hold nothing but what migrations put there, and takes that away.
async fn prepare(target: &mut Line, tables: &[Table], empty: &[Sum]) -> anyhow::Result<()> {
    if matches!(target, Line::Postgres(_)) {
        let names: Vec<_> = tables.iter().map(|table| format!("\"{}\"", table.name)).collect();
        target.execute(format!("lock table {} in exclusive mode", names.join(", "))).await?;
    }
    let mut found = Vec::new();
    for (table, empty) in tables.iter().zip(empty) {
        let rows = count(target, table).await?;
        // One that holds other rows than a new database may hold many.
        if rows != empty.rows || sum(target, table, &mut |_| {}).await? != *empty {
            found.push((table, rows));
        }
    }
    refuse(found)?;
    for table in tables.iter().rev() {
        target.execute(format!("delete from \"{}\"", table.name)).await?;
    }
    Ok(())
}

fn refuse(found: Vec<(&Table, u64)>) -> anyhow::Result<()> {
    let found: Vec<_> = found.into_iter().filter(|(_, rows)| *rows > 0).collect();
    if found.is_empty() {
        return Ok(());
    }
    let rows: u64 = found.iter().map(|(_, rows)| rows).sum();
    let counts: Vec<_> = found.iter().map(|(table, rows)| format!("{} {rows}", table.name)).collect();
    bail!("it is not empty: {rows} rows ({}). {GIVE_ANOTHER}", counts.join(", "))
}

async fn count(line: &mut Line, table: &Table) -> anyhow::Result<u64> {
    let rows = line.number(format!("select count(*) from \"{}\"", table.name)).await?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// Copies a table, and tells what stands in the source's.
async fn fill(
    source: &mut Line,
    target: &mut Line,
    table: &Table,
    on: &mut impl FnMut(Step<'_>),
) -> anyhow::Result<Sum> {
    let (mut rows, mut all, mut checksum) = (source.rows(table), 0, Sha256::begin());
    let (mut batch, mut bytes) = (Vec::new(), 0);
    loop {
        let row =
            rows.try_next().await.with_context(|| format!("row {} in the order of its key", all + 1))?;
        let ended = row.is_none();
        if let Some(row) = row {
            let line = value::line(&row);
            checksum.add(line.as_bytes());
            bytes += line.len();
            all += 1;
            batch.push(row);
        }
        if batch.len() >= BATCH.0 || bytes >= BATCH.1 || ended && !batch.is_empty() {
            let many = batch.len() as u64;
            target.insert(table, std::mem::take(&mut batch)).await?;
            bytes = 0;
            on(Step::Done(many));
        }
        if ended {
            return Ok(Sum { rows: all, checksum: checksum.end() });
        }
    }
}

/// What stands in a table.
async fn sum(line: &mut Line, table: &Table, on: &mut impl FnMut(Step<'_>)) -> anyhow::Result<Sum> {
    let (mut rows, mut all, mut checksum) = (line.rows(table), 0, Sha256::begin());
    while let Some(row) = rows.try_next().await? {
        checksum.add(value::line(&row).as_bytes());
        all += 1;
        if all % BATCH.0 as u64 == 0 {
            on(Step::Done(BATCH.0 as u64));
        }
    }
    on(Step::Done(all % BATCH.0 as u64));
    Ok(Sum { rows: all, checksum: checksum.end() })
}

async fn sums(line: &mut Line, tables: &[Table]) -> anyhow::Result<Vec<Sum>> {
    let mut sums = Vec::new();
    for table in tables {
        sums.push(sum(line, table, &mut |_| {}).await?);
    }
    Ok(sums)
}
