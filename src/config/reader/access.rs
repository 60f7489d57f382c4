//! How serde walks through a list, a map, a word, and a value with its place.

use serde::de::value::{BorrowedStrDeserializer, U32Deserializer, U64Deserializer};
use serde::de::{DeserializeSeed, EnumAccess, IntoDeserializer as _, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::{ReadError, Reader};
use crate::config::document::{Key, Node};
use crate::config::report::Place;
use crate::config::values::SCALAR;

/// Members of a list, one after the other.
pub(super) struct Members<'a> {
    pub(super) members: std::slice::Iter<'a, Node>,
    pub(super) reader: Reader<'a>,
}

impl<'a> SeqAccess<'a> for Members<'a> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some(member) = self.members.next() else {
            return Ok(None);
        };
        seed.deserialize(self.reader.child(member)).map(Some)
    }
}

/// Entries of a map, key then value.
pub(super) struct Entries<'a> {
    pub(super) entries: std::vec::IntoIter<&'a (Key, Node)>,
    pub(super) value: Option<&'a Node>,
    pub(super) reader: Reader<'a>,
}

impl<'a> MapAccess<'a> for Entries<'a> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(KeyReader(key)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<T::Value, ReadError> {
        let Some(value) = self.value.take() else {
            return Err(ReadError::Reported);
        };
        seed.deserialize(self.reader.child(value))
    }
}

/// A key: a text, or a text with its place.
struct KeyReader<'a>(&'a Key);

impl<'a> serde::Deserializer<'a> for KeyReader<'a> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_borrowed_str(&self.0.text)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_seq(PlacedKey { step: 0, key: self.0 })
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple map struct enum identifier ignored_any
    }
}

/// Line and column, length, then the value: what `At` asks for.
pub(super) struct Placed<'a> {
    pub(super) step: u8,
    pub(super) reader: Reader<'a>,
}

impl<'a> SeqAccess<'a> for Placed<'a> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        self.step += 1;
        match self.step {
            1 => seed.deserialize(packed(self.reader.node.place)).map(Some),
            2 => seed.deserialize(length(self.reader.node.place)).map(Some),
            _ => seed.deserialize(self.reader).map(Some),
        }
    }
}

/// The same for a key.
struct PlacedKey<'a> {
    step: u8,
    key: &'a Key,
}

impl<'a> SeqAccess<'a> for PlacedKey<'a> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        self.step += 1;
        match self.step {
            1 => seed.deserialize(packed(self.key.place)).map(Some),
            2 => seed.deserialize(length(self.key.place)).map(Some),
            _ => seed.deserialize(BorrowedStrDeserializer::new(&self.key.text)).map(Some),
        }
    }
}

fn packed(place: Place) -> U64Deserializer<ReadError> {
    ((u64::from(place.line) << 32) | u64::from(place.column)).into_deserializer()
}

fn length(place: Place) -> U32Deserializer<ReadError> {
    place.length.into_deserializer()
}

/// A struct written as one word: the word is its `SCALAR` field.
pub(super) struct Shorthand<'a> {
    pub(super) step: u8,
    pub(super) reader: Reader<'a>,
}

impl<'a> MapAccess<'a> for Shorthand<'a> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        self.step += 1;
        if self.step > 1 {
            return Ok(None);
        }
        seed.deserialize(BorrowedStrDeserializer::new(SCALAR)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<T::Value, ReadError> {
        seed.deserialize(self.reader)
    }
}

/// A word of an enumeration.
pub(super) struct Word(pub(super) &'static str);

impl<'a> EnumAccess<'a> for Word {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let value = seed.deserialize(BorrowedStrDeserializer::new(self.0))?;
        Ok((value, self))
    }
}

impl<'a> VariantAccess<'a> for Word {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, _: T) -> Result<T::Value, ReadError> {
        Err(ReadError::Reported)
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, _: V) -> Result<V::Value, ReadError> {
        Err(ReadError::Reported)
    }

    fn struct_variant<V: Visitor<'a>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, ReadError> {
        Err(ReadError::Reported)
    }
}
