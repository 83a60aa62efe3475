//! Predicates that are nested as deep as anybody likes are dropped, copied and compared without recursion: whoever builds one from
//! what others send must not overflow the stack before a query refuses it.

use super::Predicate;
use crate::limits::MAX_PREDICATE_DEPTH;
use std::fmt;
use std::mem;

impl Predicate {
    fn parts(&self) -> &[Predicate] {
        match self {
            Predicate::And(parts) | Predicate::Or(parts) => parts,
            Predicate::Not(part) => std::slice::from_ref(part),
            _ => &[],
        }
    }

    fn give_up_parts(&mut self, to: &mut Vec<Predicate>) {
        match self {
            Predicate::And(parts) | Predicate::Or(parts) => to.append(parts),
            Predicate::Not(part) => to.push(mem::replace(part, Predicate::All)),
            _ => {}
        }
    }

    /// A copy of a predicate without parts.
    fn copy_leaf(&self) -> Predicate {
        match self {
            Predicate::Eq(name, value) => Predicate::Eq(name.clone(), value.clone()),
            Predicate::Ne(name, value) => Predicate::Ne(name.clone(), value.clone()),
            Predicate::In(name, values) => Predicate::In(name.clone(), values.clone()),
            Predicate::IsNull(name) => Predicate::IsNull(name.clone()),
            Predicate::Range(name, from, to) => Predicate::Range(name.clone(), from.clone(), to.clone()),
            Predicate::Text(name, test) => Predicate::Text(name.clone(), test.clone()),
            Predicate::AnyOf(name, values) => Predicate::AnyOf(name.clone(), values.clone()),
            Predicate::AllOf(name, values) => Predicate::AllOf(name.clone(), values.clone()),
            Predicate::All | Predicate::And(_) | Predicate::Or(_) | Predicate::Not(_) => Predicate::All,
        }
    }

    /// Whether they are the same but for their parts.
    fn same_without_parts(&self, other: &Predicate) -> bool {
        match (self, other) {
            (Predicate::All, Predicate::All) | (Predicate::Not(_), Predicate::Not(_)) => true,
            (Predicate::And(a), Predicate::And(b)) | (Predicate::Or(a), Predicate::Or(b)) => a.len() == b.len(),
            (Predicate::Eq(a, x), Predicate::Eq(b, y)) | (Predicate::Ne(a, x), Predicate::Ne(b, y)) => a == b && x == y,
            (Predicate::IsNull(a), Predicate::IsNull(b)) => a == b,
            (Predicate::Range(a, from, to), Predicate::Range(b, f, t)) => a == b && from == f && to == t,
            (Predicate::Text(a, x), Predicate::Text(b, y)) => a == b && x == y,
            (Predicate::In(a, x), Predicate::In(b, y))
            | (Predicate::AnyOf(a, x), Predicate::AnyOf(b, y))
            | (Predicate::AllOf(a, x), Predicate::AllOf(b, y)) => a == b && x == y,
            _ => false,
        }
    }
}

/// Without recursion.
impl Drop for Predicate {
    fn drop(&mut self) {
        if self.parts().iter().all(|part| part.parts().is_empty()) {
            return;
        }
        let mut left = Vec::new();
        self.give_up_parts(&mut left);
        while let Some(mut part) = left.pop() {
            part.give_up_parts(&mut left);
        }
    }
}

/// Without recursion.
impl Clone for Predicate {
    fn clone(&self) -> Self {
        enum Step<'a> {
            Copy(&'a Predicate),
            /// All parts of this one are the newest copies.
            Join(&'a Predicate),
        }
        let mut left = vec![Step::Copy(self)];
        let mut copies: Vec<Predicate> = Vec::new();
        while let Some(step) = left.pop() {
            match step {
                Step::Copy(one) => {
                    left.push(Step::Join(one));
                    left.extend(one.parts().iter().rev().map(Step::Copy));
                }
                Step::Join(one) => {
                    let mut parts = copies.split_off(copies.len() - one.parts().len());
                    copies.push(match one {
                        Predicate::And(_) => Predicate::And(parts),
                        Predicate::Or(_) => Predicate::Or(parts),
                        Predicate::Not(_) => Predicate::Not(Box::new(parts.pop().unwrap_or(Predicate::All))),
                        leaf => leaf.copy_leaf(),
                    });
                }
            }
        }
        debug_assert_eq!(copies.len(), 1);
        copies.pop().unwrap_or(Predicate::All)
    }
}

/// Without recursion. Word by word: the same question in other words is another predicate.
impl PartialEq for Predicate {
    fn eq(&self, other: &Self) -> bool {
        let mut left = vec![(self, other)];
        while let Some((a, b)) = left.pop() {
            if !a.same_without_parts(b) {
                return false;
            }
            left.extend(a.parts().iter().zip(b.parts()));
        }
        true
    }
}

impl Eq for Predicate {}

impl fmt::Debug for Predicate {
    /// Parts that are nested deeper than any query takes are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown { predicate: self, levels: MAX_PREDICATE_DEPTH }.fmt(f)
    }
}

struct Shown<'a> {
    predicate: &'a Predicate,
    levels: usize,
}

struct List<'a> {
    parts: &'a [Predicate],
    levels: usize,
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.parts.iter().map(|predicate| Shown { predicate, levels: self.levels })).finish()
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(levels) = self.levels.checked_sub(1) else { return f.write_str("…") };
        match self.predicate {
            Predicate::All => f.write_str("All"),
            Predicate::Eq(name, value) => f.debug_tuple("Eq").field(name).field(value).finish(),
            Predicate::Ne(name, value) => f.debug_tuple("Ne").field(name).field(value).finish(),
            Predicate::In(name, values) => f.debug_tuple("In").field(name).field(values).finish(),
            Predicate::IsNull(name) => f.debug_tuple("IsNull").field(name).finish(),
            Predicate::Range(name, from, to) => f.debug_tuple("Range").field(name).field(from).field(to).finish(),
            Predicate::Text(name, test) => f.debug_tuple("Text").field(name).field(test).finish(),
            Predicate::AnyOf(name, values) => f.debug_tuple("AnyOf").field(name).field(values).finish(),
            Predicate::AllOf(name, values) => f.debug_tuple("AllOf").field(name).field(values).finish(),
            Predicate::And(parts) => f.debug_tuple("And").field(&List { parts, levels }).finish(),
            Predicate::Or(parts) => f.debug_tuple("Or").field(&List { parts, levels }).finish(),
            Predicate::Not(part) => f.debug_tuple("Not").field(&Shown { predicate: part, levels }).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::query::{Predicate, field};

    fn deep(levels: usize) -> Predicate {
        (0..levels).fold(field("a").eq(1), |inner, level| match level % 3 {
            0 => Predicate::And(vec![field("b").eq(2), inner]),
            1 => Predicate::Or(vec![inner, field("c").is_null()]),
            _ => Predicate::Not(Box::new(inner)),
        })
    }

    /// Debug builds take the most of the stack, and the smallest stacks that threads usually have are of two mebibytes.
    #[test]
    fn depth_takes_no_stack() {
        let all = || {
            for levels in [10_000, 100_000] {
                let one = deep(levels);
                let mut copy = one.clone();
                assert!(one == copy);
                copy = copy & field("d").eq(3);
                assert!(one != copy && one != deep(levels + 1));
                assert!(format!("{copy:?}").contains('…'));
                let renamed = copy.map_fields(&|name| format!("x.{name}").into());
                assert!(renamed == renamed.clone() && one != renamed);
                drop(!(renamed | one));
            }
        };
        std::thread::Builder::new().stack_size(2 << 20).spawn(all).unwrap().join().unwrap();
    }

    #[test]
    fn copies_are_the_same_and_shown_as_before() {
        let all = [
            Predicate::All,
            field("a").between(1, 2) & field("b").like("x%"),
            !(field("a").is_in([1, 2]) | field("c").ne(3) | field("t").any(["x"]) | field("t").all(["y"])),
            field("d").is_null(),
        ];
        for (at, one) in all.iter().enumerate() {
            for (other_at, other) in all.iter().enumerate() {
                assert_eq!(*one == other.clone(), at == other_at);
            }
        }
        assert_eq!(format!("{:?}", all[3]), "IsNull(\"d\")");
        assert_eq!(
            format!("{:?}", !(field("a").eq(1) & field("b").eq("x"))),
            "Not(And([Eq(\"a\", 1), Eq(\"b\", \"x\")]))"
        );
    }
}
