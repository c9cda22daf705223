//! Tells rustc which Python it is built for (`Py_3_10`, `Py_3_12`, ... for `#[cfg]`).
fn main() {
    #[cfg(feature = "python")]
    pyo3_build_config::use_pyo3_cfgs();
}
