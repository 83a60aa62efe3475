use memdex::Record;

#[derive(Record)]
#[record(index(amount_cents, when = |payment| payment.amount_cents > 0))]
#[record(ordered(amount_cents, name = "open", when = ))]
#[record(unique(amount_cents, where = payment::AMOUNT_CENTS.gt(0)))]
struct Payment {
    #[record(key)]
    id: String,
    #[record(field)]
    amount_cents: i64,
}

fn main() {}
