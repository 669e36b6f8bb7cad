"""Train sparse networks whose links grow: SET, RigL, CHT, beside fixed masks and tickets.

Every arm has as many links: a random mask that stays (static), links that go by magnitude and grow at random (set),
where the gradient is greatest (rigl) or where the layer's structure predicts them (cht), and the lottery ticket of the
same layer densities. Beside them the dense network, and one that is trained with as little arithmetic. Ends with the
answer: which beats the static mask and which the ticket, paired by replicate; and how the wiring changes on the way.

All arms at 10, 5 and 1 % of the links: karikomi grow

As much arithmetic as the dense network, in more steps: karikomi grow --budget arithmetic

Less often, and more of the links: karikomi grow --every 500 --share 0.5
"""
