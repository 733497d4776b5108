//! scratch
use rust_hdl::prelude::*;
fn main(){
    let core = std::fs::read_to_string(std::env::args().nth(1).unwrap()).unwrap();
    let mut d = pinring_hdl::device::Device::<125_000_000>::default();
    d.connect_all();
    match pinring_hdl::soft_core::emit(&d,&core) { Ok(v)=>std::fs::write("/tmp/device.v", v).unwrap(), Err(e)=>{let s=format!("{e}"); println!("{}",&s[..s.len().min(3000)])} }
}
