//! Runs the store against a naive model: random commands of every kind over three collections with few keys, committed in every way,
//! refused, fixed and committed again. One collection has a schema that is drawn for each case. `memdex-torture` has the operations and
//! the model, and runs them for hours.

use proptest::prelude::*;

proptest! {
    #![proptest_config(crate::cases::default_cases())]

    #[test]
    fn the_store_equals_the_model(history in memdex_torture::histories(1..40)) {
        history.run();
    }

    #[test]
    fn batches_that_collide_leave_out_what_the_model_does(collisions in memdex_torture::collisions()) {
        collisions.run();
    }
}
