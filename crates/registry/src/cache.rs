//! A cache of what was used lately that is bounded by the weight of what it holds, too: what decides about access is a
//! few hundred bytes for most, and a megabyte for whoever likes.

use std::{borrow::Borrow, hash::Hash, num::NonZeroUsize};

use lru::LruCache;

/// Values by their keys, each with its weight.
#[derive(Debug)]
pub(crate) struct Cache<K: Hash + Eq, V> {
    entries: LruCache<K, (V, usize)>,
    weight: usize,
    heaviest: usize,
}

impl<K: Hash + Eq, V> Cache<K, V> {
    /// Holds up to `entries` values that weigh up to `heaviest` together.
    pub(crate) fn new(entries: NonZeroUsize, heaviest: usize) -> Self {
        Self {
            entries: LruCache::new(entries),
            weight: 0,
            heaviest,
        }
    }

    /// Returns the value of `key`, which was used just now by that.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).map(|(value, _)| value)
    }

    /// Remembers a value in place of the one before; others are forgotten for it, and a value that is too heavy by itself is
    /// not kept.
    pub(crate) fn put(&mut self, key: K, value: V, weight: usize) {
        self.weight += weight;
        if let Some((_, (_, gone))) = self.entries.push(key, (value, weight)) {
            self.weight -= gone;
        }
        while self.weight > self.heaviest {
            let Some((_, (_, gone))) = self.entries.pop_lru() else {
                break;
            };
            self.weight -= gone;
        }
    }

    /// Forgets the value of `key`.
    pub(crate) fn pop<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some((_, gone)) = self.entries.pop(key) {
            self.weight -= gone;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries: usize, heaviest: usize) -> Cache<String, u8> {
        Cache::new(NonZeroUsize::new(entries).unwrap(), heaviest)
    }

    fn held(cache: &mut Cache<String, u8>) -> String {
        let keys = ["a", "b", "c", "d"];
        keys.into_iter()
            .filter(|key| cache.get(*key).is_some())
            .collect()
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let mut by_count = cache(2, 100);
        let mut by_weight = cache(100, 5);
        for cache in [&mut by_count, &mut by_weight] {
            cache.put("a".to_owned(), 1, 2);
            cache.put("b".to_owned(), 2, 2);
            assert_eq!(cache.get("a"), Some(&1));
            cache.put("c".to_owned(), 3, 3);
            assert_eq!(held(cache), "ac");
            cache.put("d".to_owned(), 4, 5);
        }
        assert_eq!(held(&mut by_count), "cd");
        assert_eq!(held(&mut by_weight), "d");
    }

    #[test]
    fn replaced_and_forgotten_values_weigh_nothing() {
        let mut cache = cache(100, 10);
        for weight in [10, 1, 9, 4] {
            cache.put("a".to_owned(), 1, weight);
        }
        cache.put("b".to_owned(), 2, 6);
        assert_eq!(held(&mut cache), "ab");
        cache.pop("b");
        cache.pop("b");
        cache.put("c".to_owned(), 3, 6);
        assert_eq!((held(&mut cache), cache.weight), ("ac".to_owned(), 10));
        cache.put("d".to_owned(), 4, 11);
        assert_eq!((held(&mut cache), cache.weight), (String::new(), 0));
    }
}
