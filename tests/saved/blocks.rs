//! The blocks of a saved file, to build files with correct checksums. Written from the description of the layout, apart from the code
//! under test.

use serde::Serialize;

pub(crate) const STORE: u8 = 1;
pub(crate) const COLLECTION: u8 = 2;
pub(crate) const RECORDS: u8 = 3;
pub(crate) const COLLECTION_END: u8 = 4;
pub(crate) const END: u8 = 5;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Block {
    pub(crate) kind: u8,
    pub(crate) content: Vec<u8>,
}

pub(crate) fn header(version: u32) -> Vec<u8> {
    let mut header = b"\x89memdex\n".to_vec();
    header.extend(version.to_le_bytes());
    header.extend(crc32fast::hash(&header).to_le_bytes());
    header
}

pub(crate) fn parse(file: &[u8]) -> Vec<Block> {
    assert_eq!(file[..16], header(1));
    let (mut blocks, mut rest) = (Vec::new(), &file[16..]);
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[1..5].try_into().unwrap()) as usize;
        blocks.push(Block { kind: rest[0], content: rest[9..9 + length].to_vec() });
        rest = &rest[9 + length..];
    }
    blocks
}

pub(crate) fn build(blocks: &[Block]) -> Vec<u8> {
    let mut file = header(1);
    for (number, block) in (1u64..).zip(blocks) {
        let head = [&[block.kind][..], &(block.content.len() as u32).to_le_bytes()].concat();
        let mut checksum = crc32fast::Hasher::new();
        [&number.to_le_bytes()[..], &head, &block.content].iter().for_each(|part| checksum.update(part));
        file.extend(head);
        file.extend(checksum.finalize().to_le_bytes());
        file.extend(&block.content);
    }
    file
}

pub(crate) fn encoded<T: Serialize>(value: T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, bincode::config::standard()).unwrap()
}

#[test]
fn files_are_built_as_they_are_written() {
    let file = crate::world::small_file();
    assert_eq!(build(&parse(&file)), file);
}
