//! Prints headings, tables and the progress bar.

use crate::Flight;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use memdex::Handle;

const WIDTH: usize = 100;

const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A column of a table: its title and its alignment.
pub(crate) struct Column<'a>(&'a str, CellAlignment);

pub(crate) fn left(title: &str) -> Column<'_> {
    Column(title, CellAlignment::Left)
}

pub(crate) fn right(title: &str) -> Column<'_> {
    Column(title, CellAlignment::Right)
}

pub(crate) fn heading(text: &str) {
    println!("\n{text}\n{}\n", "━".repeat(text.chars().count()));
}

pub(crate) fn count(number: usize) -> String {
    HumanCount(number as u64).to_string()
}

pub(crate) fn print<const N: usize>(columns: [Column<'_>; N], rows: impl IntoIterator<Item = [String; N]>) {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(columns.iter().map(|column| column.0)).add_rows(rows);
    for (column, Column(_, alignment)) in table.column_iter_mut().zip(columns) {
        column.set_cell_alignment(alignment);
    }
    for line in table.lines() {
        println!(" {}", line.trim_end());
    }
}

/// A table that compares two columns, with a name for each row.
pub(crate) fn print_side_by_side<const N: usize>(names: [&str; N], before: [String; N], after: [String; N]) {
    let rows = names.into_iter().zip(before).zip(after).map(|((name, before), after)| [name.into(), before, after]);
    print([left(""), right("before"), right("after")], rows);
}

/// Results are unordered unless the query calls `order_by`, so this sorts the flights by date and time.
pub(crate) fn print_flights(mut found: Vec<Handle<Flight>>, limit: usize) {
    found.sort_by_key(|flight| (flight.month, flight.day, flight.sched_dep_time));
    let rows = found.iter().take(limit).map(|flight| {
        let Flight { month, day, sched_dep_time: time, .. } = **flight;
        [
            format!("2013-{month:02}-{day:02} {:02}:{:02}", time / 100, time % 100),
            format!("{} {}", flight.carrier, flight.number),
            format!("{} → {}", flight.origin, flight.dest),
            format!("{} mi", count(flight.distance.into())),
            flight.tailnum.clone().unwrap_or_else(|| "–".into()),
            if flight.is_cancelled() { "cancelled".into() } else { delay(flight.dep_delay) },
            delay(flight.arr_delay),
        ]
    });
    let columns = [
        left("scheduled"),
        left("flight"),
        left("route"),
        right("distance"),
        left("plane"),
        right("left, min"),
        right("arrived, min"),
    ];
    print(columns, rows);
    if let Some(more) = found.len().checked_sub(limit).filter(|more| *more > 0) {
        println!("  … and {more} more");
    }
}

/// A delay in minutes, with its sign.
pub(crate) fn delay(minutes: Option<i16>) -> String {
    match minutes {
        None => "–".into(),
        Some(0) => "0".into(),
        Some(minutes) => format!("{minutes:+}"),
    }
}

/// A bar whose length is proportional to a number; the biggest number has fifty blocks.
pub(crate) fn bar(number: usize, biggest: usize) -> String {
    "█".repeat((number * 50).div_ceil(biggest.max(1)))
}

/// A long text, indented and wrapped.
pub(crate) fn print_wrapped(text: &str) {
    let mut line = String::from(" ");
    for word in text.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            println!("{line}");
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(word);
    }
    println!("{line}");
}

/// A progress bar that disappears at the end; without a terminal it prints nothing.
pub(crate) fn progress_bar(length: usize) -> ProgressBar {
    let bar = ProgressBar::new(length as u64).with_finish(indicatif::ProgressFinish::AndClear);
    match ProgressStyle::with_template("  {bar:40} {human_pos} of {human_len} flights") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Indents each line of a text.
pub(crate) fn print_indented(text: &str) {
    text.lines().for_each(|line| println!("  {line}"));
}
