//! Generates payments, the same ones in every run.

use crate::model::{Card, Payment, Status};
use memdex::Timestamp;
use std::time::Duration;

pub(crate) const PAYMENTS: u64 = 100_000;
pub(crate) const ORGANIZATIONS: u64 = 25;

/// January 1, 2026.
const START: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The start of a day, counted from the first one.
pub(crate) fn day(number: u32) -> Timestamp {
    START + DAY * number
}

pub(crate) fn organization(number: u64) -> String {
    format!("org-{number:02}")
}

/// The payment with an id. All payments lie within a hundred days, and one in ten is pending.
pub(crate) fn payment(id: u64) -> Payment {
    let mut dice = Dice(id);
    // Lower numbers are more frequent.
    let organization = organization(dice.roll(ORGANIZATIONS).min(dice.roll(ORGANIZATIONS)));
    let status = match dice.roll(100) {
        0..10 => Status::Pending,
        10..17 => Status::Failed,
        _ => Status::Completed,
    };
    let tags = ["web", "app", "recurring", "gift"].into_iter().filter(|_| dice.roll(3) == 0).map(str::to_owned);
    let mut tags: Vec<String> = tags.collect();
    if dice.roll(1_000) == 0 {
        tags.push("disputed".to_owned());
    }
    let card = (dice.roll(4) > 0).then(|| Card {
        brand: dice.pick(["visa", "mastercard", "amex"]),
        country: dice.pick(["CH", "DE", "AT", "FR", "IT", "LI"]),
    });
    Payment {
        id,
        reference: format!("RF-{id:06}"),
        organization,
        user: format!("user-{:04}", dice.roll(5_000)),
        status,
        amount_cents: (100 + dice.roll(20_000) * (1 + dice.roll(10))) as i64,
        created_at: START + DAY * 100 / PAYMENTS as u32 * id as u32,
        tags,
        card,
        currency: dice.pick(["EUR", "EUR", "EUR", "CHF", "CHF", "GBP", "USD"]),
        note: String::new(),
    }
}

/// Pseudo-random numbers: splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn pick<const N: usize>(&mut self, from: [&str; N]) -> String {
        from[self.roll(N as u64) as usize].to_owned()
    }
}
