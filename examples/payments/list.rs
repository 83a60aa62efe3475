//! A back-office list: filtered by a form, newest first, page by page.

use crate::commands::Ledger;
use crate::tables::{self, count, heading};
use crate::{Result, model::payment};
use memdex::query::Predicate;

/// The filter of the form, as JSON criteria from a browser. The query checks when it runs that the fields exist and that
/// the values fit.
fn filter() -> Result<Predicate> {
    let criteria = memdex::json!({
        "organization": "org-07",
        "status": ["pending", "failed"],
        "currency": ["CHF", "GBP"],
        "amount_cents": { "gte": 50_000, "lt": 100_000 },
    });
    println!("Criteria: {criteria}\n");
    Ok(Predicate::from_criteria(&criteria)?)
}

/// The first page also counts all matches. The second page starts after the cursor of the first, so that no payment is
/// repeated or skipped, even if commits happen in between.
pub(crate) fn page_through(ledger: &Ledger) -> Result<()> {
    heading("A back-office list, newest first");
    let newest_first = ledger.payments.find(filter()?).order_by(payment::CREATED_AT.desc()).limit(5);

    let first = newest_first.clone().with_total().fetch()?;
    let (total, shown) = (first.total.unwrap_or(0), first.records.len());
    println!("{} payments in total, {shown} on the first page, found in {:.1?}:\n", count(total), first.took);
    tables::print_page(&first.records);

    let cursor = first.next.ok_or("there is only one page")?;
    let second = newest_first.after(cursor).fetch()?;
    println!("\nThe second page, found in {:.1?}:\n", second.took);
    tables::print_page(&second.records);
    Ok(())
}
