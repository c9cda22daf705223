//! The order of keys in a file.

/// Sort indices by their keys; equal ones keep their order.
///
/// Most keys are told apart by the eight bytes after what all of them begin with: numbers, not calls of `memcmp`.
pub fn by_key<'a>(indices: &mut [u32], key: impl Fn(u32) -> &'a [u8]) {
    let Some(first) = indices.first().map(|&index| key(index)) else { return };
    let shared = indices.iter().fold(first.len(), |len, &index| {
        let (shared, key) = (&first[..len], key(index));
        if key.starts_with(shared) {
            len
        } else {
            shared.iter().zip(key).take_while(|(one, other)| one == other).count()
        }
    });
    let rest = |index: u32| &key(index)[shared..];
    let mut marked: Vec<(u64, u32)> = indices.iter().map(|&index| (mark(rest(index)), index)).collect();
    marked.sort_by(|&(a, left), &(b, right)| a.cmp(&b).then_with(|| rest(left).cmp(rest(right))));
    for (place, (_, index)) in indices.iter_mut().zip(marked) {
        *place = index;
    }
}

/// Orders as the bytes do, where two are not equal.
fn mark(bytes: &[u8]) -> u64 {
    let mut mark = [0; 8];
    let len = bytes.len().min(8);
    mark[..len].copy_from_slice(&bytes[..len]);
    u64::from_be_bytes(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(keys: &[&[u8]]) -> Vec<u32> {
        let mut indices: Vec<u32> = (0..keys.len() as u32).collect();
        by_key(&mut indices, |index| keys[index as usize]);
        indices
    }

    #[test]
    fn keys_are_sorted_as_bytes_also_where_their_first_differences_are_far_apart() {
        let far: [&[u8]; 6] = [b"user:2", b"user:10", b"user:1", b"user:1\0", b"user:12345678b", b"user:12345678a"];
        assert_eq!(sorted(&far), [2, 3, 1, 5, 4, 0]);
        assert_eq!(sorted(&[b"b", b"", b"\0"]), [1, 2, 0]);
    }

    #[test]
    fn equal_keys_keep_their_order() {
        assert_eq!(sorted(&[b"b", b"a", b"b", b"a"]), [1, 3, 0, 2]);
    }
}
