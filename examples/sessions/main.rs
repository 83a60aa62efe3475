//! A cache of sessions: they live for half an hour after their last use, only so many are kept, and a subscriber learns how each of them
//! ends.
//!
//! ```text
//! cargo run --release --example sessions
//! ```
//!
//! The clock is one that the program moves, so that half an hour takes no time.

use memdex::clock::ManualClock;
use memdex::error::Cause;
use memdex::hook::{ChangeKind, FeedEvent, Subscription};
use memdex::write::{Bound, DefaultLifetime};
use memdex::{Collection, GroupBy, Metric, Record, Store, Timestamp};
use std::error::Error;
use std::time::Duration;

#[derive(Clone, Record)]
struct Session {
    #[record(key)]
    token: String,
    #[record(index)]
    user: String,
    #[record(index)]
    device: String,
    requests: u32,
}

const MINUTE: Duration = Duration::from_secs(60);

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    let clock = ManualClock::starting_at(Timestamp::from_secs(1_800_000_000));
    let store = Store::builder().clock(clock.clone()).build();
    let sessions = store.collection::<Session>("Session")?;
    sessions.set_default_lifetime(DefaultLifetime::Sliding(30 * MINUTE))?;
    let (snapshot, mut ends) = store.subscribe().named("ends").collection("Session").start()?;
    drop(snapshot);

    println!("Ada and Bob sign in on several devices.");
    for (user, device) in [("ada", "laptop"), ("ada", "phone"), ("ada", "tablet"), ("bob", "laptop"), ("bob", "phone")]
    {
        sign_in(&sessions, user, device)?;
    }
    show(&sessions)?;

    println!("\nTwenty minutes later, Ada uses her phone and Bob his laptop. Each use extends the session.");
    clock.advance(20 * MINUTE);
    for token in ["ada-phone", "bob-laptop"] {
        request(&sessions, token)?;
    }

    println!(
        "Another twenty minutes later, the others have expired. No read finds them, although nobody has removed them yet."
    );
    clock.advance(20 * MINUTE);
    assert!(request(&sessions, "ada-laptop").is_err());
    show(&sessions)?;
    println!(
        "{} sessions are removed now; a store with `expire_in_background` does that by itself.",
        store.expire_now()?
    );

    println!("\nA code for one sign-in lives for five minutes, and can be used once.");
    sessions.with_lifetime(5 * MINUTE).insert(session("bob", "code"))?;
    println!("  first use: {}", sessions.take("bob-code")?.is_some());
    println!("  second use: {}", sessions.take("bob-code")?.is_some());

    println!("\nBob signs out everywhere.");
    let signed_out = sessions.delete_where(session::USER.eq("bob"))?.counts.deleted;
    println!("{signed_out} session ends at once.");
    show(&sessions)?;

    println!("\nFrom now on at most four sessions are kept, and none of the operator is given up for others.");
    sessions.set_bound(Bound::records(4).protect(session::USER.eq("operator")))?;
    sign_in(&sessions, "operator", "console")?;
    for device in ["laptop", "phone", "tablet", "watch"] {
        sign_in(&sessions, "eve", device)?;
        // Ada's phone is in use, so the policy keeps it, too.
        sessions.get("ada-phone");
    }
    show(&sessions)?;
    if let Some(bound) = &store.stats().collections[0].bound {
        println!("{} sessions have been evicted.", bound.evictions);
    }

    println!("\nThe subscriber was told of every end:");
    report(&mut ends);
    store.verify()?;
    Ok(())
}

fn session(user: &str, device: &str) -> Session {
    Session { token: format!("{user}-{device}"), user: user.into(), device: device.into(), requests: 0 }
}

fn sign_in(sessions: &Collection<Session>, user: &str, device: &str) -> Result<()> {
    sessions.insert(session(user, device))?;
    Ok(())
}

/// A request of a client: extends the session and counts the request.
fn request(sessions: &Collection<Session>, token: &str) -> Result<()> {
    match sessions.update(token, |session| session.requests += 1) {
        Ok(_) => Ok(()),
        Err(refused) if matches!(refused.cause(), Cause::KeyMissing) => Err("sign in again".into()),
        Err(refused) => Err(refused.into()),
    }
}

fn show(sessions: &Collection<Session>) -> Result<()> {
    let by_user = GroupBy::values(session::USER).metrics([Metric::count()]);
    for group in sessions.find(memdex::Filter::all()).statistics(by_user)?.groups() {
        let user = group.key[0].as_str().unwrap_or_default();
        let own = sessions.find(session::USER.eq(user)).order_by(session::DEVICE.asc()).fetch()?;
        let devices: Vec<&str> = own.iter().map(|session| session.device.as_str()).collect();
        println!(
            "  {user}: {} of {} sessions ({})",
            group.int("count").unwrap_or(0),
            sessions.len(),
            devices.join(", ")
        );
    }
    Ok(())
}

fn report(ends: &mut Subscription) {
    while let Some(event) = ends.try_next() {
        let FeedEvent::Commit(commit) = event else { continue };
        for change in commit.changes::<Session>("Session") {
            let how = match change.kind() {
                ChangeKind::Expired => "expired",
                ChangeKind::Deleted => "was ended",
                ChangeKind::Evicted => "was evicted",
                _ => continue,
            };
            let Some(session) = &change.before else { continue };
            println!("  {} {how} after {} requests", session.token, session.requests);
        }
    }
}
