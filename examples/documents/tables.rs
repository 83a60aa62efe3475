//! Prints headings and tables.

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};

const WIDTH: u16 = 100;

const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

pub(crate) fn heading(text: &str) {
    println!("\n{text}\n{}\n", "━".repeat(text.chars().count()));
}

pub(crate) fn print<const N: usize>(columns: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(columns).add_rows(rows);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    for line in table.lines() {
        println!(" {}", line.trim_end());
    }
}

/// A text, wrapped at the width of the tables.
pub(crate) fn print_wrapped(text: &str) {
    let mut line = String::from(" ");
    for word in text.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > WIDTH.into() {
            println!("{line}");
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(word);
    }
    println!("{line}");
}
