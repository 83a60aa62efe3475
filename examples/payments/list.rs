//! The list of an office: filtered by whatever a form asks for, newest first, page by page.

use crate::commands::Ledger;
use crate::tables::{self, count, heading};
use crate::{Result, model::payment};
use memdex::Predicate;

/// What the form asks for. Criteria come as JSON, as a browser sends them; whether the fields are there, and can hold such
/// values, is judged when the query runs.
fn asked() -> Result<Predicate> {
    let criteria = memdex::json!({
        "organization": "org-07",
        "status": ["pending", "failed"],
        "currency": ["CHF", "GBP"],
        "amount_cents": { "gte": 50_000, "lt": 100_000 },
    });
    println!("Asked for: {criteria}\n");
    Ok(Predicate::from_criteria(&criteria)?)
}

/// The first page counts what there is in all; the next one begins behind the cursor of the first, so that nothing is
/// shown twice or left out, whatever is committed between.
pub(crate) fn turn_pages(ledger: &Ledger) -> Result<()> {
    heading("A list in the office, newest first");
    let newest_first = ledger.payments.find(asked()?).order_by(payment::CREATED_AT.desc()).limit(5);

    let first = newest_first.clone().with_total().page()?;
    let (total, shown) = (first.total.unwrap_or(0), first.records.len());
    println!("{} payments in all, {shown} on the first page, found in {:.1?}:\n", count(total), first.took);
    tables::print_page(&first.records);

    let cursor = first.next.ok_or("there is one page only")?;
    let second = newest_first.after(cursor).page()?;
    println!("\nThe second page, found in {:.1?}:\n", second.took);
    tables::print_page(&second.records);
    Ok(())
}
