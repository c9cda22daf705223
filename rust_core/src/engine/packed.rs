//! What a read found, one after the other in one buffer.

/// The bytes of many things, some of which may be absent: two allocations, however many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// From where to where; `ABSENT`, which ends before it starts, is nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    start: usize,
    end: usize,
}

const ABSENT: Place = Place { start: 1, end: 0 };

impl<'a> FromIterator<&'a [u8]> for Packed {
    fn from_iter<T: IntoIterator<Item = &'a [u8]>>(things: T) -> Self {
        let mut packed = Self::default();
        for thing in things {
            packed.push(Some(thing));
        }
        packed
    }
}

impl Packed {
    pub fn push(&mut self, thing: Option<&[u8]>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(thing.unwrap_or_default());
        self.places.push(thing.map_or(ABSENT, |_| Place { start, end: self.bytes.len() }));
    }

    pub fn append(&mut self, other: &Self) {
        let by = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        let moved = |place: &Place| {
            if *place == ABSENT { ABSENT } else { Place { start: place.start + by, end: place.end + by } }
        };
        self.places.extend(other.places.iter().map(moved));
    }

    /// Put them into another order: `order` says for each where it belongs.
    pub fn arrange(&mut self, order: &[u32]) {
        let mut places = vec![ABSENT; self.places.len()];
        for (place, &index) in self.places.iter().zip(order) {
            places[index as usize] = *place;
        }
        self.places = places;
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    pub fn capacity_bytes(&self) -> usize {
        self.bytes.capacity() + self.places.capacity() * size_of::<Place>()
    }

    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let place = self.places.get(index)?;
        self.bytes.get(place.start..place.end)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&[u8]>> {
        self.places.iter().map(|place| self.bytes.get(place.start..place.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(things: &[Option<&str>]) -> Packed {
        let mut packed = Packed::default();
        for thing in things {
            packed.push(thing.map(str::as_bytes));
        }
        packed
    }

    #[test]
    fn what_is_absent_is_not_what_is_empty() {
        let packed = packed(&[None, Some(""), Some("a"), None]);
        let things: Vec<_> = packed.iter().collect();
        assert_eq!(things, [None, Some(b"".as_slice()), Some(b"a"), None]);
        assert_eq!(packed.get(4), None);
    }

    #[test]
    fn two_are_appended_and_put_in_order() {
        let mut all = packed(&[Some("c"), None]);
        all.append(&packed(&[Some("a"), Some("b"), None]));
        all.arrange(&[4, 0, 2, 3, 1]);
        assert_eq!(all, {
            let mut expected = packed(&[Some("c"), None, Some("a"), Some("b"), None]);
            expected.places = vec![
                ABSENT,
                ABSENT,
                Place { start: 1, end: 2 },
                Place { start: 2, end: 3 },
                Place { start: 0, end: 1 },
            ];
            expected
        });
    }
}
