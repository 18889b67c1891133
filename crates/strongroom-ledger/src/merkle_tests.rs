//! The tree against a naive recursive reading of RFC 6962 and against its known roots.

use std::collections::HashMap;
use std::convert::Infallible;

use super::*;

/// Rows as a store would keep them, written by [`Frontier::append`] alone.
#[derive(Default)]
struct Rows(HashMap<(u8, u64), Hash>);

impl Hashes for Rows {
    type Error = Infallible;
    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, Infallible> {
        Ok(self.0[&(level, index)])
    }
}

fn leaf(n: u64) -> Hash {
    leaf_hash(&n.to_be_bytes())
}

fn grown(size: u64) -> (Frontier, Rows) {
    let (mut frontier, mut rows) = (Frontier::new(), Rows::default());
    for n in 0..size {
        grow(&mut frontier, &mut rows, n);
    }
    (frontier, rows)
}

fn grow(frontier: &mut Frontier, rows: &mut Rows, n: u64) {
    assert!(rows.0.insert((0, n), leaf(n)).is_none());
    for (level, index, hash) in frontier.append(leaf(n)) {
        assert!(rows.0.insert((level, index), hash).is_none());
    }
}

/// MTH of RFC 6962, 2.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(&[]),
        [one] => *one,
        many => {
            let k = naive_split(many.len());
            node_hash(&naive_root(&many[..k]), &naive_root(&many[k..]))
        }
    }
}

fn naive_split(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// PATH of RFC 6962, 2.1.1.
fn naive_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let k = naive_split(leaves.len());
    let (mut path, other) = if m < k {
        (naive_path(m, &leaves[..k]), naive_root(&leaves[k..]))
    } else {
        (naive_path(m - k, &leaves[k..]), naive_root(&leaves[..k]))
    };
    path.push(other);
    path
}

/// SUBPROOF of RFC 6962, 2.1.2.
fn naive_subproof(m: usize, leaves: &[Hash], complete: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if complete { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let k = naive_split(leaves.len());
    let (mut path, other) = if m <= k {
        (naive_subproof(m, &leaves[..k], complete), naive_root(&leaves[k..]))
    } else {
        (naive_subproof(m - k, &leaves[k..], false), naive_root(&leaves[..k]))
    };
    path.push(other);
    path
}

#[test]
fn known_roots_of_rfc_6962() {
    // The reference leaves and roots that the Certificate Transparency implementations share.
    let leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::new();
    assert_eq!(hex(&frontier.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (data, root) in leaves.into_iter().zip(roots) {
        frontier.append(leaf_hash(&unhex(data)));
        assert_eq!(hex(&frontier.root()), root);
    }
}

#[test]
fn roots_and_edges_agree_with_the_naive_tree_up_to_600() {
    let leaves: Vec<Hash> = (0..=600).map(leaf).collect();
    let (mut frontier, mut rows) = grown(0);
    for size in 0..=600u64 {
        let naive = naive_root(&leaves[..size as usize]);
        assert_eq!(frontier.root(), naive, "size {size}");
        assert_eq!(root_of(&leaves[..size as usize]), naive);
        assert_eq!(root_at(size, u64::MAX, &mut rows), Ok(naive));
        assert_eq!(Frontier::load(size, &mut rows), Ok(frontier.clone()));
        grow(&mut frontier, &mut rows, size);
    }
}

#[test]
fn every_inclusion_proof_up_to_130_and_some_beyond() {
    let leaves: Vec<Hash> = (0..=600).map(leaf).collect();
    let (_, mut rows) = grown(600);
    let sizes = (0..=130).chain([255, 256, 257, 511, 512, 513, 599, 600]);
    for size in sizes {
        let root = naive_root(&leaves[..size]);
        let step = if size > 130 { 13 } else { 1 };
        for index in (0..size).step_by(step) {
            let path = inclusion_proof(index as u64, size as u64, &mut rows).unwrap();
            assert_eq!(path, naive_path(index, &leaves[..size]), "leaf {index} of {size}");
            assert!(verify_inclusion(&leaves[index], index as u64, size as u64, &path, &root));
            refuses_changed_inclusion(&leaves[index], index as u64, size as u64, &path, &root);
        }
        assert_eq!(inclusion_proof(size as u64, size as u64, &mut rows), Ok(Vec::new()));
        assert!(!verify_inclusion(&leaves[size], size as u64, size as u64, &[], &root));
    }
}

fn refuses_changed_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) {
    assert!(!verify_inclusion(&node_hash(leaf, leaf), index, size, path, root));
    assert!(!verify_inclusion(leaf, index ^ 1, size, path, root));
    assert!(!verify_inclusion(leaf, index + 1, size, path, root));
    assert!(!verify_inclusion(leaf, index, size, path, leaf) || size == 1);
    assert!(!verify_inclusion(leaf, index, size, &[path, &[*root]].concat(), root));
    for place in 0..path.len() {
        let mut changed = path.to_vec();
        changed[place][31] ^= 1;
        assert!(!verify_inclusion(leaf, index, size, &changed, root));
        changed.remove(place);
        assert!(!verify_inclusion(leaf, index, size, &changed, root));
    }
}

#[test]
fn every_consistency_proof_up_to_70_and_some_beyond() {
    let leaves: Vec<Hash> = (0..=600).map(leaf).collect();
    let (_, mut rows) = grown(600);
    let some = [0, 1, 2, 3, 127, 128, 129, 255, 256, 257, 300, 511, 512, 513, 599, 600];
    let pairs = (0..=70).flat_map(|new| (0..=new).map(move |old| (old, new)));
    let far =
        some.into_iter().flat_map(|new| some.into_iter().map(move |old| (old, new))).filter(|(old, new)| old <= new);
    for (old, new) in pairs.chain(far) {
        let [old_root, new_root] = [old, new].map(|size| naive_root(&leaves[..size]));
        let path = consistency_proof(old as u64, new as u64, &mut rows).unwrap();
        let naive = if old == 0 { Vec::new() } else { naive_subproof(old, &leaves[..new], true) };
        assert_eq!(path, naive, "{old} to {new}");
        assert!(verify_consistency(old as u64, new as u64, &path, &old_root, &new_root), "{old} to {new}");
        refuses_changed_consistency(old as u64, new as u64, &path, &old_root, &new_root);
    }
}

fn refuses_changed_consistency(old: u64, new: u64, path: &[Hash], old_root: &Hash, new_root: &Hash) {
    let other = [7; 32];
    assert!(!verify_consistency(old, new, path, &other, new_root));
    assert!(!verify_consistency(old, new, path, old_root, &other) || old == 0 && new > 0);
    assert!(!verify_consistency(old, new, &[path, &[other]].concat(), old_root, new_root));
    assert!(!verify_consistency(new + 1, new, path, old_root, new_root));
    for place in 0..path.len() {
        let mut changed = path.to_vec();
        changed[place][0] ^= 0x80;
        assert!(!verify_consistency(old, new, &changed, old_root, new_root));
        changed.remove(place);
        assert!(!verify_consistency(old, new, &changed, old_root, new_root));
    }
}

#[test]
fn rows_of_two_levels_around_65536() {
    const TOP: u64 = 65_536 + 300;
    let leaves: Vec<Hash> = (0..TOP).map(leaf).collect();
    let (frontier, mut rows) = grown(TOP);
    assert_eq!(rows.0.keys().filter(|(level, _)| *level == 1).count(), 257);
    assert_eq!(rows.0[&(2, 0)], naive_root(&leaves[..65_536]));
    assert_eq!(rows.0[&(1, 255)], naive_root(&leaves[65_280..65_536]));
    for size in [65_279, 65_280, 65_281, 65_535, 65_536, 65_537, 65_791, 65_792, 65_793, TOP] {
        let naive = naive_root(&leaves[..size as usize]);
        assert_eq!(root_at(size, u64::MAX, &mut rows), Ok(naive));
        assert_eq!(Frontier::load(size, &mut rows).unwrap().root(), naive);
        for index in [0, 255, 256, 65_279, 65_280, 65_535, 65_536, size - 1] {
            let path = inclusion_proof(index, size, &mut rows).unwrap();
            assert_eq!(
                verify_inclusion(&leaves[index as usize % leaves.len()], index, size, &path, &naive),
                index < size
            );
        }
        let path = consistency_proof(size, TOP, &mut rows).unwrap();
        assert!(verify_consistency(size, TOP, &path, &naive, &frontier.root()));
    }
}

#[test]
fn hostile_numbers_neither_panic_nor_pass() {
    for (index, size) in [(0, 0), (0, u64::MAX), (u64::MAX - 1, u64::MAX), (u64::MAX, u64::MAX), (u64::MAX, 1)] {
        for length in [0, 1, 63, 64, 65] {
            assert!(!verify_inclusion(&[0; 32], index, size, &vec![[0; 32]; length], &[0; 32]));
            assert!(!verify_consistency(index, size, &vec![[0; 32]; length], &[1; 32], &[2; 32]));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn all_paths_of_a_held_tree_verify() {
    for size in 1..70u64 {
        let leaves: Vec<Hash> = (0..size).map(leaf).collect();
        let root = root_of(&leaves);
        for (index, leaf) in leaves.iter().enumerate() {
            let (of, path) = path_of(&leaves, index).unwrap();
            assert!(of == root && verify_inclusion(leaf, index as u64, size, &path, &root), "{index} of {size}");
        }
        assert_eq!(path_of(&leaves, leaves.len()), None);
    }
}
