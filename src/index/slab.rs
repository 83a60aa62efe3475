//! Values by number, numbers given out again. The lowest number is 1.

pub(super) struct Slab<T> {
    values: Vec<Option<T>>,
    free: Vec<u32>,
    /// The heap memory of a value.
    weigh: fn(&T) -> usize,
    weight: usize,
}

impl<T> Slab<T> {
    pub(super) fn new(weigh: fn(&T) -> usize) -> Self {
        Slab { values: Vec::new(), free: Vec::new(), weigh, weight: 0 }
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        self.weight += (self.weigh)(&value);
        match self.free.pop() {
            Some(number) => {
                self.values[number as usize - 1] = Some(value);
                number
            }
            None => {
                self.values.push(Some(value));
                self.values.len() as u32
            }
        }
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.values.get((number as usize).checked_sub(1)?)?.as_ref()
    }

    /// Its heap memory must not change.
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.values.get_mut((number as usize).checked_sub(1)?)?.as_mut()
    }

    pub(super) fn free(&mut self, number: u32) {
        let value = self.values[number as usize - 1].take();
        debug_assert!(value.is_some(), "a number is freed once");
        self.weight -= value.as_ref().map_or(0, self.weigh);
        self.free.push(number);
    }

    /// O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        self.values.capacity() * size_of::<Option<T>>() + self.free.capacity() * 4 + self.weight
    }

    /// As [`heap_bytes`](Self::heap_bytes), by a walk; for audits.
    pub(super) fn walk_bytes(&self) -> usize {
        self.heap_bytes() - self.weight + self.iter().map(self.weigh).sum::<usize>()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.values.iter().flatten()
    }

    pub(super) fn shrink(&mut self) {
        while self.values.last().is_some_and(Option::is_none) {
            self.values.pop();
        }
        let len = self.values.len() as u32;
        self.free.retain(|number| *number <= len);
        self.values.shrink_to_fit();
        self.free.shrink_to_fit();
    }
}
