//! The background writer beside the plain one: 500,000 updates of one producer, in batches of 100. What counts is how many
//! a second are carried; the limit is 0.7 of the plain writer's.

use crate::common::{PAYMENTS, Random};
use crate::data::{WidePayment, loaded, next, payments};
use crate::figures::{Durations, heading, line, ratio};
use memdex::{Batch, Collection, Refusal, Store};

const BATCHES: usize = 5_000;
const UPDATES: usize = 100;
const ROUNDS: usize = 3;

pub(crate) fn run() {
    heading("background");
    let (store, payments) = loaded(payments());
    let (mut plain, mut background) = (Durations::default(), Durations::default());
    for _ in 0..ROUNDS {
        plain.time(|| by_writer(&store, &payments));
        background.time(|| in_background(&store, &payments));
    }
    for (name, times) in [("plain", &plain), ("background", &background)] {
        let a_second = (BATCHES * UPDATES) as f64 / times.median().as_secs_f64();
        line(name, format_args!("{a_second:.0} updates a second"));
    }
    ratio("background / plain, updates a second", plain.median(), background.median(), "at least 0.7");
}

fn by_writer(store: &Store, payments: &Collection<WidePayment>) {
    let mut random = Random::new(7);
    let mut writer = store.writer().bulk_size(UPDATES);
    for _ in 0..BATCHES {
        writer.group(|batch| gather(batch, payments, &mut random)).expect("the records exist");
    }
    writer.flush().expect("the records exist");
}

fn in_background(store: &Store, payments: &Collection<WidePayment>) {
    let mut random = Random::new(7);
    let background = store.background_writer().start().expect("a thread can be started");
    let mut last = None;
    for _ in 0..BATCHES {
        last = Some(background.submit_with(|batch| gather(batch, payments, &mut random)).expect("the queue is open"));
    }
    background.flush().expect("nothing is refused");
    assert!(last.is_some_and(|ticket| ticket.is_answered()));
}

fn gather(batch: &mut Batch, payments: &Collection<WidePayment>, random: &mut Random) -> Result<(), Refusal> {
    for _ in 0..UPDATES {
        let key = format!("payment-{:07}", random.below(PAYMENTS as u64));
        batch.update(payments, key, |payment| payment.status = next(payment.status))?;
    }
    Ok(())
}
