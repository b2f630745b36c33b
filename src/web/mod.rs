//! HTTP: reads a request, calls one function of a floor below, renders the answer.

pub mod assets;
pub mod house;
pub mod preferences;
pub mod source;
pub mod view;
