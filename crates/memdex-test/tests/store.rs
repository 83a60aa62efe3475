//! memdex itself and the model: random schemas, records of every form, every operation.

use memdex_test::strategy::schemas;
use memdex_test::{Domain, Machine, StoreRepository, Workload};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};
use std::cell::Cell;

/// The number of schemas; `PROPTEST_CASES` sets another.
fn schemas_to_try() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60)
}

#[test]
fn the_store_equals_the_model_under_random_schemas() {
    let config = ProptestConfig {
        cases: schemas_to_try(),
        failure_persistence: None,
        max_shrink_iters: 0,
        ..ProptestConfig::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let (compared, skipped) = (Cell::new(0), Cell::new(0));
    let result = runner.run(&(schemas(), any::<u64>()), |(schema, seed)| {
        let domain = Domain::of_schema("Thing", schema).unwrap();
        let machine = Machine::new(Workload::new([domain.clone()])).seed(seed).cases(6).length(40);
        let checked = machine.check(|| StoreRepository::key_values([&domain]).unwrap());
        let report = checked.map_err(|difference| TestCaseError::fail(format!("{difference}\n{}", domain.schema())))?;
        compared.set(compared.get() + report.operations);
        skipped.set(skipped.get() + report.skipped);
        Ok(())
    });
    if let Err(TestError::Fail(why, _)) = result {
        panic!("{why}");
    }
    // Batches with queries are not drawn, so nearly everything is compared.
    let (compared, skipped) = (compared.get(), skipped.get());
    assert!(compared > 2_000 && skipped * 20 < compared, "{compared} compared, {skipped} skipped");
}
