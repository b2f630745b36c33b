use super::*;

#[tokio::test]
async fn a_gateway_that_is_down_during_the_act_tells_both_phones_later() {
    let house = TestHouse::new().await;
    let number = "449999195003010014";
    house
        .register
        .phones
        .lock()
        .unwrap()
        .insert(number.to_owned(), "13900000009".to_owned());
    let mut browser = house.browser();
    let base = browser.arrive().await;
    browser.prove_phone(&base, "/recover", "13900000009").await;
    browser
        .submit(
            &format!("{base}/recover/proof"),
            &[("name", "测试甲"), ("number", number)],
        )
        .await;
    *house.outbox.broken.lock().unwrap() = true;
    let new = "Another-pass-7";
    let page = browser
        .submit(
            &format!("{base}/recover/password"),
            &[("new-password", new), ("repeat-password", new)],
        )
        .await;
    // The act is done all the same.
    assert!(page.has("person-name"), "{}", page.body);
    house.notices_settled(2).await;
    assert_eq!(house.messages("14000000001").len(), 0);

    *house.outbox.broken.lock().unwrap() = false;
    let mut rng = RngSource::System.rng();
    house.clock.advance(10);
    let round = house.notices.deliver(&mut rng, house.now()).await.unwrap();
    assert_eq!((round.sent, round.put_off, round.given_up), (2, 0, 0));
    assert_eq!(house.count("notices").await, 0);
    let old = house.messages("14000000001");
    assert!(old.len() == 1 && old[0].contains("已更换"), "{old:?}");
    let new = house.messages("13900000009");
    assert!(new.len() == 2 && new[1].contains("密码已更改"), "{new:?}");
}
