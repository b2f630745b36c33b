fn main() {
    println!("hefu");
}
