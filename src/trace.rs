//! Spans and events of `tracing`. A subscriber is user code: it may panic or call back wherever it is called, that is when a span is
//! made, entered, exited or closed, and at an event. So all calls go through [`Tracer::call`], and no other file names `tracing`.

use crate::sync::{Ordering::Relaxed, StatsCounter};
use crate::user_code;
use tracing::Span;

/// Calls subscribers, and counts their panics.
#[derive(Default)]
pub(crate) struct Tracer {
    panics: StatsCounter,
}

impl Tracer {
    /// How many calls of subscribers have panicked.
    pub(crate) fn panics(&self) -> u64 {
        self.panics.load(Relaxed)
    }

    /// Runs code that calls a subscriber. `None` if it panicked.
    pub(crate) fn call<T>(&self, code: impl FnOnce() -> T) -> Option<T> {
        let result = user_code::run(code);
        if result.is_err() {
            self.panics.fetch_add(1, Relaxed);
        }
        result.ok()
    }

    /// Makes a span and enters it, until the result is dropped.
    pub(crate) fn enter(&self, make: impl FnOnce() -> Span) -> Entered<'_> {
        let span = self.call(make).unwrap_or_else(Span::none);
        if !span.is_disabled() {
            self.call(|| span.with_subscriber(|(id, subscriber)| subscriber.enter(id)));
        }
        Entered { tracer: self, span }
    }
}

/// A span that this thread has entered.
pub(crate) struct Entered<'a> {
    tracer: &'a Tracer,
    span: Span,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let span = std::mem::replace(&mut self.span, Span::none());
        if span.is_none() {
            return;
        }
        // Also after a panic of `enter`: the subscriber may have noted the span before it panicked.
        self.tracer.call(|| span.with_subscriber(|(id, subscriber)| subscriber.exit(id)));
        // Closes it in a separate call: a second panic while the first unwinds would abort the process.
        self.tracer.call(|| drop(span));
    }
}

/// Makes and enters a span: `span!(tracer, DEBUG, "name", field)`.
macro_rules! span {
    ($tracer:expr, $level:ident, $($span:tt)+) => {
        $tracer.enter(|| tracing::span!(tracing::Level::$level, $($span)+))
    };
}

/// Reports an event: `event!(tracer, ERROR, field, "message")`.
macro_rules! event {
    ($tracer:expr, $level:ident, $($event:tt)+) => {
        $tracer.call(|| tracing::event!(tracing::Level::$level, $($event)+))
    };
}

pub(crate) use {event, span};
