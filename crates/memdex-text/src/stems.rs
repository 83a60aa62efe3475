//! Stems that a thread has found before. Most words of a text are among a few thousand, and a stem takes longer to find than a word.

use super::language::Language;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Most words of a language, about a megabyte. Then the thread forgets them all.
const MOST: usize = 8_192;
/// Most bytes of a word; longer ones do not come back.
const LONGEST: usize = 24;

type Stems = HashMap<Box<str>, Rc<str>>;

thread_local! {
    static STEMS: RefCell<[Stems; Language::ALL.len()]> = RefCell::default();
}

/// The stem of a word, from memory if the thread has found it before.
pub(crate) fn stem(language: Language, word: &str) -> Rc<str> {
    let found = || Rc::from(&*language.stem(word));
    if word.len() > LONGEST {
        return found();
    }
    // A thread that exits has none.
    let known = STEMS.try_with(|stems| {
        let stems = &mut stems.borrow_mut()[language as usize];
        if let Some(stem) = stems.get(word) {
            return stem.clone();
        }
        if stems.len() >= MOST {
            stems.clear();
        }
        let stem = found();
        stems.insert(word.into(), stem.clone());
        stem
    });
    known.unwrap_or_else(|_| found())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_from_memory_are_the_same_and_few() {
        for number in 0..3 * MOST {
            let word = format!("{}ings", number % (2 * MOST));
            for language in Language::ALL {
                assert_eq!(*stem(language, &word), *language.stem(&word));
                assert_eq!(*stem(language, &word), *language.stem(&word));
            }
        }
        STEMS.with_borrow(|stems| assert!(stems.iter().all(|stems| (1..=MOST).contains(&stems.len()))));
        assert_eq!(*stem(Language::English, &"x".repeat(100)), "x".repeat(100));
    }
}
