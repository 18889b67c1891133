//! The paths and contents of C2SP tlog-tiles: a log as static files that any cache can keep.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::merkle::TILE_WIDTH;

/// Levels 0 to 7 hold every log whose size fits 64 bits.
const LEVEL_MAX: u8 = 7;

/// A tile by its path: `tile/<L>/<N>` for hashes, `tile/entries/<N>` for entries, either with
/// `.p/<W>` when it is partial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TilePath {
    level: Option<u8>,
    index: u64,
    width: u16,
}

impl TilePath {
    /// The level of the hashes it holds; none when it holds entries.
    pub fn level(self) -> Option<u8> {
        self.level
    }

    /// Its number within its level.
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many it holds: 256, or fewer at the right edge.
    pub fn width(self) -> u16 {
        self.width
    }

    /// The hashes or entries it holds, by their places in their level.
    pub fn range(self) -> Range<u64> {
        let from = self.index * TILE_WIDTH; // parsing keeps the whole tile within 64 bits
        from..from + u64::from(self.width)
    }

    /// Whether a log of this size has all of it.
    pub fn is_within(self, size: u64) -> bool {
        self.range().end <= size >> (8 * u32::from(self.level.unwrap_or(0)))
    }

    fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let level = if level == "entries" { None } else { Some(level.parse().ok()?) };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok().filter(|width| u64::from(*width) < TILE_WIDTH)?),
            None => (rest, TILE_WIDTH as u16),
        };
        let tile = TilePath { level, index: parse_index(number)?, width };
        let is_countable = tile.index < u64::MAX / TILE_WIDTH;
        (width > 0 && level <= Some(LEVEL_MAX) && is_countable).then_some(tile)
    }
}

impl FromStr for TilePath {
    type Err = NotATile;

    fn from_str(path: &str) -> Result<Self, NotATile> {
        // Written again it must be the same text, so that each tile has one address.
        TilePath::parse(path).filter(|tile| tile.to_string() == path).ok_or(NotATile)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(f, "tile/{level}/")?,
            None => f.write_str("tile/entries/")?,
        }
        let groups: Vec<u64> = std::iter::successors(Some(self.index), |n| (*n >= 1000).then_some(n / 1000)).collect();
        for group in groups[1..].iter().rev() {
            write!(f, "x{:03}/", group % 1000)?;
        }
        write!(f, "{:03}", self.index % 1000)?;
        match u64::from(self.width) {
            TILE_WIDTH => Ok(()),
            width => write!(f, ".p/{width}"),
        }
    }
}

/// The text is not the path of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a tile, such as tile/0/x001/234 or tile/entries/000.p/17")]
pub struct NotATile;

/// An entry bundle: each entry, which here is always a commitment of 32 bytes, behind its length
/// as 16 bits, big-endian.
pub fn encode_entries(commitments: &[[u8; 32]]) -> Vec<u8> {
    commitments.iter().flat_map(|commitment| [0, 32].into_iter().chain(*commitment)).collect()
}

/// The commitments of an entry bundle; nothing when it is cut off or holds anything else.
pub fn decode_entries(bundle: &[u8]) -> Option<Vec<[u8; 32]>> {
    let (entries, rest) = bundle.as_chunks::<34>();
    let commitment = |entry: &[u8; 34]| if entry[..2] == [0, 32] { entry[2..].try_into().ok() } else { None };
    if rest.is_empty() { entries.iter().map(commitment).collect() } else { None }
}

/// `x001/x234/067` is 1234067.
fn parse_index(text: &str) -> Option<u64> {
    text.split('/').try_fold(0u64, |index, group| {
        let digits = group.strip_prefix('x').unwrap_or(group);
        let number: u64 = digits.parse().ok()?;
        index.checked_mul(1000)?.checked_add(number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_spelling() {
        for (path, level, index, width) in [
            ("tile/0/000", Some(0), 0, 256),
            ("tile/0/x001/x234/067", Some(0), 1_234_067, 256),
            ("tile/1/x001/000.p/17", Some(1), 1000, 17),
            ("tile/entries/999.p/255", None, 999, 255),
            ("tile/entries/x072/x057/x594/x037/x927/934", None, u64::MAX / 256 - 1, 256),
        ] {
            assert_eq!(path.parse(), Ok(TilePath { level, index, width }), "{path}");
        }
        for path in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/00/000",
            "tile/8/000",
            "tile/-1/000",
            "tile/+1/000",
            "tile/0/x000/000",
            "tile/0/x001/x234/67",
            "tile/0/1234",
            "tile/0/001/234",
            "tile/0/x001",
            "tile/0/+00",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/017",
            "tile/0/000.p/",
            "tile/0/000.p/1/2",
            "/tile/0/000",
            "tile/entry/000",
            "tile/data/000",
            "tile/0/000/",
            "tile/0/../000",
            "tile/0/x072/x057/x594/x037/x927/935",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/0/X001/000",
        ] {
            assert_eq!(path.parse::<TilePath>(), Err(NotATile), "{path}");
        }
    }

    #[test]
    fn a_log_has_what_is_complete() {
        let has = |path: &str, size| path.parse::<TilePath>().unwrap().is_within(size);
        assert!(has("tile/0/000", 256) && !has("tile/0/000", 255) && has("tile/0/000.p/255", 255));
        assert!(has("tile/1/000.p/1", 256) && !has("tile/1/000.p/1", 255) && !has("tile/1/000.p/2", 511));
        assert!(has("tile/entries/001.p/1", 257) && !has("tile/entries/001.p/1", 256));
        assert!(has("tile/entries/x072/x057/x594/x037/x927/934", u64::MAX));
    }

    #[test]
    fn bundles_there_and_back() {
        let entries = [[7; 32], [8; 32]];
        let bundle = encode_entries(&entries);
        assert_eq!((bundle.len(), &bundle[..3], &bundle[34..37]), (68, &[0, 32, 7][..], &[0, 32, 8][..]));
        assert_eq!(decode_entries(&bundle), Some(entries.to_vec()));
        assert_eq!(decode_entries(&bundle[..67]), None);
        assert_eq!(decode_entries(&[[0, 31].as_slice(), &[7; 32]].concat()), None);
    }
}
