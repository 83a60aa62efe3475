//! Which keys are popular.

use crate::random::Random;
use serde::{Deserialize, Serialize};

/// How the keys of a workload's operations are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Keys {
    /// All keys are equally popular.
    Uniform,
    /// The k-th most popular key has a share in proportion to 1 / k^exponent. Popular keys are spread over all keys. YCSB uses 0.99.
    Zipf {
        /// Greater than 0; the greater, the fewer keys have most of the operations.
        exponent: f64,
    },
    /// As Zipf, where the newest record is the most popular.
    Latest {
        /// As above.
        exponent: f64,
    },
}

impl Keys {
    pub(crate) fn is_valid(self) -> bool {
        match self {
            Keys::Uniform => true,
            Keys::Zipf { exponent } | Keys::Latest { exponent } => exponent > 0.0 && exponent <= 100.0,
        }
    }
}

/// Draws positions of a population by a distribution.
///
/// ```
/// use memdex_bench::{KeySampler, Keys, Random};
/// let (mut random, mut sampler) = (Random::new(1), KeySampler::new(Keys::Latest { exponent: 1.2 }, 1_000));
/// let newest = (0..1_000).filter(|_| sampler.next(&mut random) >= 990).count();
/// assert!(newest > 500);
/// sampler.grow_to(1_001);
/// assert!(sampler.next(&mut random) <= 1_000);
/// ```
#[derive(Clone, Debug)]
pub struct KeySampler {
    keys: Keys,
    population: u64,
    /// The population that the ranks are spread over. It stays, so that popular keys stay popular.
    spread: u64,
    zipf: Option<Zipf>,
}

/// A prime with irregular bits: multiplying by it permutes the positions of every population that is no multiple of it.
const PRIME: u64 = 0x9E37_79B1_85EB_CA87;

impl KeySampler {
    /// A sampler of the positions below `population`, which must not be 0.
    pub fn new(keys: Keys, population: u64) -> Self {
        let population = population.max(1);
        let zipf = match keys {
            Keys::Uniform => None,
            Keys::Zipf { exponent } | Keys::Latest { exponent } => Some(Zipf::new(population, exponent)),
        };
        KeySampler { keys, population, spread: population, zipf }
    }

    /// Adds newer positions.
    pub fn grow_to(&mut self, population: u64) {
        self.population = population.max(self.population);
        if let Keys::Latest { exponent } = self.keys {
            self.zipf = Some(Zipf::new(self.population, exponent));
        }
    }

    /// A position.
    pub fn next(&mut self, random: &mut Random) -> u64 {
        match (self.keys, &self.zipf) {
            (Keys::Zipf { .. }, Some(zipf)) => {
                let rank = zipf.rank(random) - 1;
                ((u128::from(rank) * u128::from(PRIME)) % u128::from(self.spread)) as u64
            }
            (Keys::Latest { .. }, Some(zipf)) => self.population - zipf.rank(random),
            _ => random.below(self.population),
        }
    }
}

/// Ranks from 1 by rejection-inversion (Hörmann and Derflinger, 1996): constant time and memory for any population.
#[derive(Clone, Debug)]
struct Zipf {
    ranks: f64,
    exponent: f64,
    first: f64,
    last: f64,
    accepted: f64,
}

impl Zipf {
    fn new(ranks: u64, exponent: f64) -> Self {
        let mut zipf = Zipf { ranks: ranks as f64, exponent, first: 0.0, last: 0.0, accepted: 0.0 };
        zipf.first = zipf.area(1.5) - 1.0;
        zipf.last = zipf.area(ranks as f64 + 0.5);
        zipf.accepted = 2.0 - zipf.place(zipf.area(2.5) - zipf.weight(2.0));
        zipf
    }

    fn weight(&self, x: f64) -> f64 {
        x.powf(-self.exponent)
    }

    /// The integral of the weights from 1.
    fn area(&self, x: f64) -> f64 {
        let rest = 1.0 - self.exponent;
        if rest.abs() < 1e-9 { x.ln() } else { (rest * x.ln()).exp_m1() / rest }
    }

    /// The inverse of the area.
    fn place(&self, area: f64) -> f64 {
        let rest = 1.0 - self.exponent;
        if rest.abs() < 1e-9 { area.exp() } else { ((area * rest).max(-1.0).ln_1p() / rest).exp() }
    }

    fn rank(&self, random: &mut Random) -> u64 {
        loop {
            let area = self.last + random.unit() * (self.first - self.last);
            let place = self.place(area);
            let rank = (place + 0.5).floor().clamp(1.0, self.ranks);
            if rank - place <= self.accepted || area >= self.area(rank + 0.5) - self.weight(rank) {
                return rank as u64;
            }
        }
    }
}
