//! Keys and mixes have the shares that they should have: chi-square tests with fixed seeds.

use memdex_bench::{KeySampler, Keys, Kind, Mix, Random};

/// Whether counts fit the expected shares. The bound is four standard deviations of the chi-square distribution above its mean.
fn fits(counts: &[u64], shares: &[f64]) -> bool {
    let (drawn, sum) = (counts.iter().sum::<u64>() as f64, shares.iter().sum::<f64>());
    let expected = shares.iter().map(|share| drawn * share / sum);
    let terms = counts.iter().zip(expected).map(|(count, expected)| {
        assert!(expected >= 5.0, "too few draws for this test");
        (*count as f64 - expected).powi(2) / expected
    });
    let freedom = counts.len() as f64 - 1.0;
    terms.sum::<f64>() < freedom + 4.0 * (2.0 * freedom).sqrt()
}

fn counts(keys: Keys, population: u64, draws: u64, seed: u64) -> Vec<u64> {
    let (mut random, mut sampler) = (Random::new(seed), KeySampler::new(keys, population));
    let mut counts = vec![0; population as usize];
    (0..draws).for_each(|_| counts[sampler.next(&mut random) as usize] += 1);
    counts
}

fn zipf(population: u64, exponent: f64) -> Vec<f64> {
    (1..=population).map(|rank| (rank as f64).powf(-exponent)).collect()
}

/// From the most frequent: which keys these are does not matter.
fn sorted(mut counts: Vec<u64>) -> Vec<u64> {
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts
}

#[test]
fn uniform_keys_are_uniform() {
    for (population, seed) in [(2, 2), (10, 3), (997, 4), (5_000, 5)] {
        let counts = counts(Keys::Uniform, population, population * 100, seed);
        assert!(fits(&counts, &vec![1.0; population as usize]), "{population}");
    }
    // The test can fail.
    let mut counts = counts(Keys::Uniform, 100, 10_000, 6);
    counts[0] += 100;
    assert!(!fits(&counts, &[1.0; 100]));
}

#[test]
fn zipf_keys_have_the_shares_of_their_ranks() {
    for (exponent, seed) in [(0.5, 1), (0.99, 2), (1.0, 3), (1.2, 4), (2.0, 5)] {
        let draws = 400_000;
        // Latest has the ranks in the order of the keys, so no sorting bends the test.
        let mut by_rank = counts(Keys::Latest { exponent }, 50, draws, seed);
        by_rank.reverse();
        assert!(fits(&by_rank, &zipf(50, exponent)), "{exponent}: {by_rank:?}");
        assert!(!fits(&by_rank, &zipf(50, exponent + 0.05)), "another exponent is told apart");
        // Spread over all keys, with the same shares.
        let spread = counts(Keys::Zipf { exponent }, 50, draws, seed);
        assert_ne!(spread, by_rank);
        assert_eq!(sorted(spread), sorted(by_rank));
    }
}

#[test]
fn many_keys_are_all_reached_in_constant_memory() {
    let (mut random, mut sampler) = (Random::new(9), KeySampler::new(Keys::Zipf { exponent: 0.99 }, 1 << 40));
    let drawn: Vec<u64> = (0..10_000).map(|_| sampler.next(&mut random)).collect();
    assert!(drawn.iter().all(|key| *key < 1 << 40));
    let halves = drawn.iter().filter(|key| **key < 1 << 39).count();
    assert!((3_000..7_000).contains(&halves), "{halves}");
    // No two ranks share a key.
    let keys = sorted(counts(Keys::Zipf { exponent: 0.01 }, 1_000, 200_000, 1));
    assert!(keys.iter().all(|count| *count > 0));
}

#[test]
fn the_newest_keys_stay_the_most_popular_as_the_population_grows() {
    let (mut random, mut sampler) = (Random::new(3), KeySampler::new(Keys::Latest { exponent: 1.0 }, 10));
    for population in 11..200 {
        sampler.grow_to(population);
        assert!((0..50).all(|_| sampler.next(&mut random) < population));
    }
    let mut ages = vec![0; 199];
    (0..200_000).for_each(|_| ages[198 - sampler.next(&mut random) as usize] += 1);
    assert!(fits(&ages, &zipf(199, 1.0)));
}

#[test]
fn mixes_have_their_shares() {
    let mix = Mix::new().get(60).insert(20).update(10).delete(7).query(3);
    let mut random = Random::new(11);
    let mut counts = [0; 5];
    (0..100_000).for_each(|_| counts[mix.draw(&mut random) as usize] += 1);
    assert!(fits(&counts, &[60.0, 20.0, 10.0, 7.0, 3.0]));
    assert!((0..1_000).all(|_| Mix::new().delete(1).draw(&mut random) == Kind::Delete));
    assert_eq!(mix.to_string(), "60 % get, 20 % insert, 10 % update, 7 % delete, 3 % query");
    assert_eq!(Mix::new().get(2).query(1).to_string(), "66.67 % get, 33.33 % query");
}

#[test]
fn random_numbers_do_not_change_between_versions() {
    let mut random = Random::new(42);
    assert_eq!([random.bits(), random.bits()], [15_021_278_609_987_233_951, 5_881_210_131_331_364_753]);
    assert!((0..10_000).all(|_| (0.0..1.0).contains(&random.unit())));
    assert_eq!(random.below(0), 0);
}
