//! Prints headings and tables.

use crate::model::{Payment, euros};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use indicatif::{HumanBytes, HumanCount};
use memdex::typing::ValueRef;
use memdex::{Handle, Timestamp, Value};

const WIDTH: u16 = 110;

const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

pub(crate) fn heading(text: &str) {
    println!("\n{text}\n{}\n", "━".repeat(text.chars().count()));
}

pub(crate) fn count(number: usize) -> String {
    HumanCount(number as u64).to_string()
}

pub(crate) fn bytes(bytes: usize) -> String {
    HumanBytes(bytes as u64).to_string()
}

/// Prints a table; a title that starts with `>` aligns its column to the right.
pub(crate) fn print<const N: usize>(columns: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(columns.map(|title| title.trim_start_matches('>'))).add_rows(rows);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    for (column, _) in table.column_iter_mut().zip(columns).filter(|(_, title)| title.starts_with('>')) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for line in table.lines() {
        println!(" {}", line.trim_end());
    }
}

/// Results are unordered unless the query calls `order_by`, so this sorts the payments by id.
pub(crate) fn print_payments(mut found: Vec<Handle<Payment>>, limit: usize) {
    found.sort_by_key(|payment| payment.id);
    let rows = found.iter().take(limit).map(|payment| {
        [
            payment.id.to_string(),
            payment.reference.clone(),
            payment.organization.clone(),
            payment.user.clone(),
            payment.status.to_string(),
            euros(payment.amount_cents),
            payment.card.as_ref().map_or("–".into(), |card| format!("{}, {}", card.brand, card.country)),
            payment.tags.join(", "),
        ]
    });
    print([">id", "reference", "organization", "user", "status", ">amount", "card", "tags"], rows);
    if let Some(more) = found.len().checked_sub(limit).filter(|more| *more > 0) {
        println!("  … and {} more", count(more));
    }
}

/// Prints a page of payments in its order.
pub(crate) fn print_page(page: &[Handle<Payment>]) {
    let rows = page.iter().map(|payment| {
        [
            time(payment.created_at),
            payment.id.to_string(),
            payment.user.clone(),
            payment.status.to_string(),
            payment.currency.clone(),
            euros(payment.amount_cents),
        ]
    });
    print(["created, UTC", ">id", "user", "status", "currency", ">amount"], rows);
}

/// `2026-01-31 17:45`, in UTC.
fn time(time: Timestamp) -> String {
    let text: String = Value::from(time).to_string().chars().take("2026-01-31T17:45".len()).collect();
    text.replace('T', " ")
}

/// A bar whose length is proportional to a number; the biggest number has forty blocks.
pub(crate) fn bar(number: i64, biggest: i64) -> String {
    "█".repeat((number.max(0) * 40 / biggest.max(1)) as usize)
}

/// A value for display: strings without quotes.
pub(crate) fn text(value: &Value) -> String {
    match value.as_ref() {
        ValueRef::Str(text) => text.to_owned(),
        _ => value.to_string(),
    }
}
