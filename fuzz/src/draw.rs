//! Structured input: values of proptest strategies from a fuzzer's bytes.

use crate::input::Input;
use memdex::query::Predicate;
use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

/// Filters that refuse more often give up.
const MOST_REJECTS: u32 = 256;

/// The most tests of a predicate.
const MOST_TESTS: usize = 12;

/// The value that a strategy draws if these bytes are its seed; `None` if its filters refuse too many.
///
/// The bytes are a seed, and not the choices themselves: at the end of its bytes proptest's `PassThrough` generator returns zeros, which
/// uniform numbers reject for ever. So any change of the bytes draws another value. A target takes a few bytes for each of many small
/// values; then a fuzzer can keep, leave out, copy and move them.
pub fn draw<S: Strategy>(bytes: &[u8], strategy: S) -> Option<S::Value> {
    let config = Config {
        max_local_rejects: MOST_REJECTS,
        max_global_rejects: MOST_REJECTS,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &seed(bytes));
    let mut runner = TestRunner::new_with_rng(config, rng);
    strategy.new_tree(&mut runner).ok().map(|tree| tree.current())
}

/// The seed that these bytes are.
pub(crate) fn seed(bytes: &[u8]) -> [u8; 16] {
    let hash = |key| {
        let mut hasher = SipHasher13::new_with_keys(0x6472_6177, key);
        hasher.write(bytes);
        u128::from(hasher.finish())
    };
    (hash(1) | hash(2) << 64).to_le_bytes()
}

/// The predicate of a program in postfix form: an instruction draws a test from the next two bytes, or joins the last ones.
pub(crate) fn predicate(program: &[u8], of_tests: &BoxedStrategy<Predicate>) -> Predicate {
    let (mut input, mut stack, mut tests) = (Input::new(program), Vec::new(), 0);
    while !input.is_empty() {
        match input.byte() % 8 {
            4 => stack = vec![Predicate::all_of(stack)],
            5 => stack = vec![Predicate::any_of(stack)],
            6 => {
                if let Some(last) = stack.pop() {
                    stack.push(!last);
                }
            }
            7 => {
                if let (Some(last), Some(first)) = (stack.pop(), stack.pop()) {
                    stack.push(first | last);
                }
            }
            _ if tests < MOST_TESTS => {
                tests += 1;
                stack.extend(draw(input.bytes(2), of_tests));
            }
            _ => break,
        }
    }
    Predicate::all_of(stack)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn bytes_are_seeds() {
        let strategy = || prop::collection::vec((0..10_u8).prop_flat_map(|most| 0..=most), 4..8);
        let drawn: BTreeSet<_> = (0..50_u8).filter_map(|n| draw(&[n], strategy())).collect();
        assert!(drawn.len() > 40, "{drawn:?}");
        assert_eq!(draw(b"seed", strategy()), draw(b"seed", strategy()));
        assert!(draw(&[], strategy()).is_some() && draw(&[0; 64], strategy()).is_some());
    }

    #[test]
    fn filters_end() {
        assert_eq!(draw(&[7; 64], any::<u8>().prop_filter("never", |_| false)), None);
    }
}
