//! Tokens are bytes: a letter may come in two of them.

/// Whole letters out of pieces.
#[derive(Debug, Default)]
pub(super) struct Letters(Vec<u8>);

impl Letters {
    /// What is whole after this piece; what never will be is replaced.
    pub(super) fn push(&mut self, piece: &[u8]) -> String {
        self.0.extend_from_slice(piece);
        let mut whole = String::new();
        loop {
            match std::str::from_utf8(&self.0) {
                Ok(text) => {
                    whole.push_str(text);
                    self.0.clear();
                    return whole;
                }
                Err(error) => {
                    let good = error.valid_up_to();
                    whole.push_str(&String::from_utf8_lossy(&self.0[..good]));
                    let Some(bad) = error.error_len() else {
                        self.0.drain(..good);
                        return whole;
                    };
                    whole.push(char::REPLACEMENT_CHARACTER);
                    self.0.drain(..good + bad);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_comes_whole_however_it_is_cut(text in "\\PC{0,40}", cut in 1usize..5) {
            let mut letters = Letters::default();
            let whole: String = text.as_bytes().chunks(cut).map(|piece| letters.push(piece)).collect();
            prop_assert_eq!(whole, text);
            prop_assert!(letters.0.is_empty());
        }

        #[test]
        fn no_bytes_make_it_fail_or_hold_back_more_than_a_letter(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut letters = Letters::default();
            for byte in bytes {
                letters.push(&[byte]);
                prop_assert!(letters.0.len() < 4);
            }
        }
    }
}
