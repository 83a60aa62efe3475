use super::*;
use crate::query::{Predicate, field};
use crate::schema::bind::bind;
use crate::schema::{FieldAt, FieldDef, FieldSource, Schema, Values};
use crate::value::{Kind, Value, ValueRef};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::ops::Bound;

/// `a`, `s` and `b` have single values, `t` has many; `x` and `y.z` are not declared.
fn schema() -> Schema {
    Schema::new([
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("a", Kind::Int),
        FieldDef::new("s", Kind::Str),
        FieldDef::new("t", Kind::Str).many(),
        FieldDef::new("b", Kind::Bool),
    ])
    .by_name()
    .open()
}

fn raw(predicate: &Predicate) -> Condition {
    bind("test", &schema(), predicate).unwrap()
}

fn bound(predicate: &Predicate) -> Condition {
    Condition::new("test", &schema(), predicate).unwrap()
}

fn print(predicate: &Predicate) -> Fingerprint {
    bound(predicate).fingerprint(&schema())
}

const TEXTS: [&str; 5] = ["", "a", "ab", "B", "b"];

/// The values of a record's fields.
#[derive(Clone, Debug)]
struct Row {
    a: Value,
    s: Value,
    b: Value,
    t: Vec<Value>,
    x: Vec<Value>,
    z: Vec<Value>,
}

impl FieldSource for Row {
    fn value_at(&self, field: &FieldAt) -> ValueRef<'_> {
        match field.position() {
            0 => ValueRef::from(1),
            1 => self.a.as_ref(),
            2 => self.s.as_ref(),
            4 => self.b.as_ref(),
            _ => ValueRef::Null,
        }
    }

    fn values_at<'a>(&'a self, field: &FieldAt, see: &mut dyn FnMut(ValueRef<'a>)) {
        match (field.position(), field.undeclared()) {
            (3, _) => self.t.iter().for_each(|value| see(value.as_ref())),
            (_, Some("x")) => self.x.iter().for_each(|value| see(value.as_ref())),
            (_, Some("y.z")) => self.z.iter().for_each(|value| see(value.as_ref())),
            _ => see(self.value_at(field)),
        }
    }

    fn elements_at(&self, _: &FieldAt, _: &mut dyn FnMut(&dyn FieldSource)) {}
}

fn record() -> impl Strategy<Value = Row> {
    let anything = || {
        let one = vec![0.into(), 1.into(), 1.5.into(), true.into(), "a".into(), "B".into()];
        vec(select(one), 0..4)
    };
    let texts = || select(TEXTS.to_vec());
    let b = prop::option::of(any::<bool>());
    let row = (prop::option::of(0..4), prop::option::of(texts()), b, vec(texts(), 0..4), anything(), anything());
    row.prop_map(|(a, s, b, t, x, mut z)| {
        z.push(2.into());
        let value = |text: Option<&str>| text.map_or(Value::NULL, Value::from);
        Row {
            a: a.map_or(Value::NULL, Value::from),
            s: value(s),
            b: b.map_or(Value::NULL, Value::from),
            t: t.into_iter().map(Value::from).collect(),
            x,
            z,
        }
    })
}

fn bounds<T: Into<Value>>(from: (usize, T), to: (usize, T)) -> (Bound<Value>, Bound<Value>) {
    let bound = |(kind, value): (usize, T)| match kind {
        0 => Bound::Unbounded,
        1 => Bound::Included(value.into()),
        _ => Bound::Excluded(value.into()),
    };
    (bound(from), bound(to))
}

fn leaf() -> impl Strategy<Value = Predicate> {
    let a = (0..9, -1..5_i64, -1..5_i64, vec(-1..5_i64, 0..4), 0..3_usize, 0..3_usize).prop_map(
        |(test, v, w, all, f, t)| {
            let a = field("a");
            match test {
                0 | 1 => a.eq(v),
                2 => a.ne(v),
                3 | 4 => a.is_in(all),
                5 => a.is_null(),
                _ => {
                    let (from, to) = bounds((f, v), (t, w));
                    Predicate::Range("a".into(), from, to)
                }
            }
        },
    );
    let text = || select(TEXTS.to_vec());
    let texts = |name: &'static str| {
        (0..12, text(), vec(text(), 0..4)).prop_map(move |(test, text, all)| {
            let s = field(name);
            match test {
                0 => s.eq(text),
                1 => s.ne(text),
                2 => s.is_in(all),
                3 => s.is_null(),
                4 => s.ge(text),
                5 => s.starts_with(text),
                6 => s.ends_with(text),
                7 => s.contains_str(text),
                8 => s.like(format!("_{text}%")),
                9 => s.eq_ignore_case(text),
                10 => s.starts_with_ignore_case(text),
                _ => s.like_ignore_case(format!("%{text}_")),
            }
        })
    };
    let many = |name: &'static str| {
        (0..4, text(), vec(text(), 0..4)).prop_map(move |(test, text, all)| match test {
            0 => field(name).contains(text),
            1 => field(name).any(all),
            2 => field(name).all(all),
            _ => field(name).le(text),
        })
    };
    let value = || {
        select(vec![Value::from(0), 1.into(), 1.5.into(), 2.into(), true.into(), "a".into(), "B".into(), 1e300.into()])
    };
    let undeclared = |name: &'static str| {
        (0..9, value(), value(), vec(value(), 0..4), 0..3_usize, 0..3_usize).prop_map(move |(test, v, w, all, f, t)| {
            let x = field(name);
            match test {
                0 => x.eq(v),
                1 => x.ne(v),
                2 => x.is_in(all),
                3 => x.any(all),
                4 => x.all(all),
                5 => x.is_null(),
                _ => {
                    let (from, to) = bounds((f, v), (t, w));
                    Predicate::Range(name.into(), from, to)
                }
            }
        })
    };
    prop_oneof![
        20 => a,
        14 => texts("s"),
        6 => many("t"),
        6 => texts("t"),
        8 => undeclared("x"),
        3 => undeclared("y.z"),
        3 => texts("x"),
        4 => (0..7, any::<bool>()).prop_map(|(test, value)| match test {
            0 | 1 => field("b").eq(value),
            2 | 3 => field("b").ne(value),
            4 => field("b").is_null(),
            5 => field("b").lt(value),
            _ => field("b").ge(value),
        }),
        1 => Just(Predicate::All),
    ]
}

fn predicate() -> impl Strategy<Value = Predicate> {
    leaf().prop_recursive(4, 24, 4, |part| {
        prop_oneof![
            3 => vec(part.clone(), 0..5).prop_map(Predicate::all_of),
            3 => vec(part.clone(), 0..5).prop_map(Predicate::any_of),
            1 => part.prop_map(|part| !part),
        ]
    })
}

fn reworded_test(test: &Test, make: &dyn Fn(Test) -> Condition) -> Condition {
    match test {
        Test::Eq(value) => make(Test::In(Values::new(vec![value.clone()]))),
        Test::In(values) => Condition::Or(values.iter().rev().map(|value| make(Test::Eq(value.clone()))).collect()),
        test => make(test.clone()),
    }
}

/// The same condition in another form, which `dice` choose.
fn reworded(condition: &Condition, dice: &mut impl FnMut(usize) -> usize) -> Condition {
    let not = |part| Condition::Not(Box::new(part));
    let mut parts_of =
        |parts: &[Condition], join: fn(Vec<Condition>) -> Condition, dual: fn(Vec<Condition>) -> Condition| {
            let mut parts: Vec<Condition> = parts.iter().map(|part| reworded(part, dice)).collect();
            for at in (1..parts.len()).rev() {
                parts.swap(at, dice(at + 1));
            }
            if !parts.is_empty() && dice(3) == 0 {
                parts.push(parts[dice(parts.len())].clone());
            }
            if !parts.is_empty() && dice(3) == 0 {
                let nested = parts.split_off(dice(parts.len()));
                parts.insert(0, join(nested));
            }
            if dice(3) > 0 {
                return join(parts);
            }
            not(dual(parts.into_iter().map(not).collect()))
        };
    let same = match condition {
        Condition::And(parts) => parts_of(parts, Condition::And, Condition::Or),
        Condition::Or(parts) => parts_of(parts, Condition::Or, Condition::And),
        Condition::Not(part) => not(reworded(part, dice)),
        Condition::Test(at, test) if dice(3) == 0 => reworded_test(test, &|test| Condition::Test(at.clone(), test)),
        Condition::Undeclared(at, test) if dice(3) == 0 => {
            reworded_test(test, &|test| Condition::Undeclared(at.clone(), test))
        }
        other => other.clone(),
    };
    match dice(8) {
        0 => Condition::And(vec![same, Condition::All]),
        1 => Condition::Or(vec![same]),
        2 => not(not(same)),
        _ => same,
    }
}

#[test]
fn nesting_changes_nothing() {
    let raw = |predicate| raw(&predicate);
    let (null, zero) = (|| raw(field("a").is_null()), || raw(field("a").eq(0)));
    let within = || Condition::And(vec![raw(field("x").eq(0)), null()]);
    let flat = normal_form(Condition::Or(vec![null(), within(), zero()]), &schema());
    let nested = normal_form(Condition::Or(vec![Condition::Or(vec![null(), within()]), zero()]), &schema());
    assert!(flat.is_same(&nested), "{flat:?} and {nested:?}");
    assert_eq!(flat.fingerprint(&schema()), nested.fingerprint(&schema()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_normal_form_holds_for_the_same_records(predicate in predicate(), records in vec(record(), 1..30)) {
        let (raw, normal) = (raw(&predicate), bound(&predicate));
        for record in &records {
            prop_assert_eq!(raw.holds(record), normal.holds(record), "{:?} as {:?} of {:?}", predicate, normal, record);
        }
        let again = normal_form(normal.clone(), &schema());
        prop_assert!(again.is_same(&normal), "{:?} becomes {:?}", normal, again);
        prop_assert_eq!(again.fingerprint(&schema()), normal.fingerprint(&schema()));
    }

    #[test]
    fn rewordings_have_the_same_normal_form(predicate in predicate(), dice in vec(any::<usize>(), 64)) {
        let mut next = dice.iter().cycle();
        let other = normal_form(reworded(&raw(&predicate), &mut |sides| next.next().unwrap() % sides), &schema());
        prop_assert!(bound(&predicate).is_same(&other), "{:?} and {:?}", bound(&predicate), other);
        prop_assert_eq!(print(&predicate), other.fingerprint(&schema()));
    }

    #[test]
    fn different_predicates_have_different_fingerprints(a in predicate(), b in predicate(), records in vec(record(), 1..30)) {
        let (x, y) = (raw(&a), raw(&b));
        let differ = records.iter().any(|record| x.holds(record) != y.holds(record));
        prop_assert!(!differ || print(&a) != print(&b), "{:?} and {:?}", a, b);
        prop_assert_ne!(print(&a), print(&!a.clone()));
    }

    #[test]
    fn an_implied_condition_holds(a in predicate(), b in predicate(), records in vec(record(), 1..30)) {
        let either = bound(&Predicate::any_of([a.clone(), b.clone()]));
        let (a, b) = (bound(&a), bound(&b));
        if a.implies(&b) {
            for record in &records {
                prop_assert!(!a.holds(record) || b.holds(record), "{:?} does not imply {:?}: {:?}", a, b, record);
            }
        }
        prop_assert!(a.implies(&a) && b.implies(&b));
        prop_assert!(either.implies(&either));
    }

    /// Tests of one field, which are the most likely to imply each other.
    #[test]
    fn an_implied_test_of_the_same_field_holds(a in leaf(), b in leaf(), nots in any::<[bool; 2]>(), records in vec(record(), 30)) {
        let not_if = |not, part: Predicate| if not { !part } else { part };
        let (a, b) = (bound(&not_if(nots[0], a)), bound(&not_if(nots[1], b)));
        for record in &records {
            prop_assert!(!a.implies(&b) || !a.holds(record) || b.holds(record), "{:?}, {:?}: {:?}", a, b, record);
        }
    }
}

fn normalized(predicate: Predicate) -> String {
    fn show(condition: &Condition) -> String {
        let all = |parts: &[Condition], sign| format!("({})", parts.iter().map(show).collect::<Vec<_>>().join(sign));
        match condition {
            Condition::All => "all".into(),
            Condition::Nothing => "nothing".into(),
            Condition::Test(at, test) | Condition::Undeclared(at, test) => {
                let name = &at.path().unwrap().name;
                match test {
                    Test::Eq(value) => format!("{name} = {value:?}"),
                    Test::Ne(value) => format!("{name} != {value:?}"),
                    Test::In(values) => format!("{name} in {:?}", &**values),
                    Test::Has(test) => format!("has {test:?}"),
                    Test::Any(values) => format!("{name} any {:?}", &**values),
                    Test::All(values) => format!("{name} all {:?}", &**values),
                    Test::IsNull | Test::HasNone => format!("no {name}"),
                    Test::Range(from, to) => {
                        let from = match from {
                            Bound::Unbounded => String::new(),
                            Bound::Included(value) => format!("[{value:?}"),
                            Bound::Excluded(value) => format!("({value:?}"),
                        };
                        let to = match to {
                            Bound::Unbounded => String::new(),
                            Bound::Included(value) => format!("{value:?}]"),
                            Bound::Excluded(value) => format!("{value:?})"),
                        };
                        format!("{name} {from}..{to}")
                    }
                    Test::Text(_) => format!("{name} like"),
                }
            }
            Condition::Element(_, part) => format!("element {}", show(part)),
            Condition::And(parts) => all(parts, " & "),
            Condition::Or(parts) => all(parts, " | "),
            Condition::Not(part) => format!("!{}", show(part)),
        }
    }
    show(&bound(&predicate))
}

/// Of a field of many values and of an undeclared path.
#[test]
fn a_test_of_one_value_is_a_test_of_many() {
    for (name, a, b) in [("t", "a", "b"), ("x", "a", "b")] {
        let f = || field(name);
        let range = |from, to| Predicate::Range(name.into(), from, to);
        for (one, same) in [
            (f().eq(a), f().contains(a)),
            (f().is_in([a, b]), f().any([b, a])),
            (f().ne(a), !f().contains(a) & !f().is_null()),
            (!f().is_in([a, b]) & !f().is_null(), f().ne(a) & f().ne(b)),
            (range(Bound::Unbounded, Bound::Unbounded), !f().is_null()),
            (f().between(a, a), f().eq(a)),
            (f().between(b, a), Predicate::none()),
            (f().like(a), f().eq(a)),
            (f().like("a%"), f().starts_with("a")),
        ] {
            assert_eq!(print(&one), print(&same), "{one:?}");
        }
        assert_ne!(print(&f().between(a, b)), print(&(f().ge(a) & f().le(b))), "two values may be in one range each");
        assert_ne!(print(&!f().eq(a)), print(&f().ne(a)));
    }
}

#[test]
fn equal_conditions_on_elements_have_one_form() {
    let of = |inner: Predicate| Predicate::elem_match("x", inner);
    let (one, two) = (|| field("n").eq(1), || field("m").gt(2));
    assert_eq!(print(&of(one() & two())), print(&of(two() & one() & one())));
    assert_ne!(print(&of(one() & two())), print(&(of(one()) & of(two()))));
    assert_ne!(print(&of(one())), print(&of(!one())));
    assert_eq!(normalized(of(one() & !one())), "nothing");
    assert_eq!(normalized(of(Predicate::All)), "element all");
    assert_eq!(normalized(!of(of(one()))), "!element element n any [1]");
}

#[test]
fn equivalent_tests_are_simplified() {
    let (a, b, s, t, x) = (|| field("a"), || field("b"), || field("s"), || field("t"), || field("x"));
    let none: [i64; 0] = [];
    for (predicate, expected) in [
        (a().is_in([3]), "a = 3"),
        (a().is_in(none), "nothing"),
        (a().is_in([2, 1, 2]), "a in [1, 2]"),
        (Predicate::All, "all"),
        (Predicate::none(), "nothing"),
        (a().eq(1) & !a().eq(1), "nothing"),
        (a().eq(1) | !a().eq(1), "all"),
        // A missing value is neither equal nor unequal.
        (a().eq(1) | a().ne(1), "!no a"),
        (!a().ge(3), "!a [3.."),
        (a().gt(1), "a [2.."),
        (a().ge(2), "a [2.."),
        (a().gt(1) & a().lt(3), "a = 2"),
        (a().gt(2) & a().lt(3), "nothing"),
        (a().le(2) | a().gt(2), "!no a"),
        (b().ne(true), "b = false"),
        (b().eq(true) | b().lt(true), "!no b"),
        (b().gt(true), "nothing"),
        (!a().eq(3), "!a = 3"),
        (!a().ne(3), "(a = 3 | no a)"),
        (a().eq(1) & a().eq(2), "nothing"),
        (a().eq(1) & a().gt(1), "nothing"),
        (a().eq(1) & a().lt(2), "a = 1"),
        (a().gt(1) & a().le(5) & a().lt(4), "a [2..4)"),
        (a().between(3, 1), "nothing"),
        (a().between(3, 3), "a = 3"),
        (a().is_in([1, 2, 3]) & a().ge(2), "a in [2, 3]"),
        (a().is_in([1, 2, 3]) & a().is_in([3, 4]), "a = 3"),
        (a().is_in([1, 2, 3]) & a().ne(2), "a in [1, 3]"),
        (a().is_null() & a().ne(2), "nothing"),
        (a().is_null() & !a().eq(2), "no a"),
        (a().is_null() | a().eq(2), "(a = 2 | no a)"),
        (a().eq(1) | a().is_in([2, 3]) | a().eq(2), "a in [1, 2, 3]"),
        (a().lt(3) | a().ge(3), "!no a"),
        (a().lt(3) | a().gt(3), "a != 3"),
        (a().lt(3) | a().gt(5), "(a ..3) | a [6..)"),
        (a().ne(1) & a().ne(3), "(!no a & !a in [1, 3])"),
        (a().ne(1) & a().ne(2), "(a ..1) | a [3..)"),
        (a().gt(0) & a().ne(2), "(a [1.. & !a = 2)"),
        (!(a().gt(0) & a().ne(2)), "(a = 2 | !a [1..)"),
        (s().eq("x") & a().eq(1) & s().eq("x"), "(a = 1 & s = \"x\")"),
        (!!(s().eq("x")), "s = \"x\""),
        // Texts.
        (s().like("x"), "s = \"x\""),
        (s().like("x%") & s().starts_with("xy"), "s [\"xy\"..\"xz\")"),
        (s().like("%"), "!no s"),
        (s().like("%x") | s().is_null() | s().like("%x"), "(no s | s like)"),
        // Both values may be present.
        (t().contains("x") | t().any(["y", "x"]), "t any [\"x\", \"y\"]"),
        (t().contains("x") & !t().contains("y"), "(t any [\"x\"] & !t any [\"y\"])"),
        (t().contains("x") & !t().contains("x"), "nothing"),
        (t().any(["x", "y"]) & !t().contains("x") & !t().contains("y"), "nothing"),
        (t().all(["x", "y"]) & !t().contains("x"), "nothing"),
        (!t().contains("x") & !t().contains("y"), "!t any [\"x\", \"y\"]"),
        (s().like("%x") & !s().like("%x"), "nothing"),
        (t().all(Vec::<&str>::new()), "all"),
        (x().eq(1) & x().eq(1.0), "x any [1]"),
        (x().eq(1) | x().ne(1), "(x any [1] | (!no x & !x any [1]))"),
        (x().gt(5) & x().lt(3), "(x (5.. & x ..3))"),
        (x().between(5, 3), "nothing"),
        (t().ne("x") & t().ne("y"), "(!no t & !t any [\"x\", \"y\"])"),
        (x().between(5, "x"), "nothing"),
        (x().between(2.5, 5), "x [2.5..5]"),
    ] {
        let original = format!("{predicate:?}");
        assert_eq!(normalized(predicate), expected, "{original}");
    }
}

/// Pinned, since a fingerprint must not change.
#[test]
fn fingerprints_are_the_same_everywhere() {
    let text =
        print(&(field("a").eq(1) & (field("x").like_ignore_case("%a_") | field("t").all(["x", "y"])))).to_string();
    assert_eq!(text, "f1306d2e62f477aa876db52d942b12fd");
}

#[test]
fn large_and_long_conditions_take_little_time() {
    let many = |n: i64| (0..n).map(|n| field("a").eq(n * 2)).collect::<Vec<_>>();
    let start = std::time::Instant::now();
    assert!(normalized(Predicate::any_of(many(20_000))).starts_with("a in [0, 2, 4"));
    assert_eq!(normalized(Predicate::all_of(many(20_000))), "nothing");
    let without = (0..20_000).map(|n| field("a").ne(n));
    assert!(normalized(Predicate::all_of(without)).starts_with("(a ..0) | a [20000..)"));
    // Each part implies the next.
    let text = |n: usize| field("s").like(format!("%{n}_"));
    let chain = (0..5_000).map(|n| !text(n) | text(n + 1)).chain([text(0)]);
    assert!(!normalized(Predicate::all_of(chain)).is_empty());
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}
