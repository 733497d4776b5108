//! Linker scripts, for the soft core only.

fn main() {
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rerun-if-changed=checks.x");
    let variable = |name| std::env::var(name).unwrap_or_default();
    if variable("CARGO_CFG_TARGET_ARCH") != "riscv32" {
        return;
    }
    println!("cargo:rustc-link-search={}", variable("CARGO_MANIFEST_DIR"));
    // In this order: regions, riscv-rt's sections, and then what must hold of them.
    for script in ["memory.x", "link.x", "checks.x"] {
        println!("cargo:rustc-link-arg-bins=-T{script}");
    }
}
