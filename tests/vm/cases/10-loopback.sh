# AF_VSOCK itself, without any program of ours between: what the other cases may rely on.
. /vm/case.sh

start who tg-vm-peer listen vsock:any:9000 -- sh -c 'echo $PEER_CID'
listening vsock:local:9000
equal peer_cid_on_loopback "$(tg-vm-peer dial vsock:local:9000 </dev/null)" 1

equal closed_port_is_reset "$(tg-vm-peer dial vsock:local:9999 </dev/null 2>&1)" \
    "tg-vm-peer: vsock:local:9999: Connection reset by peer"
equal unknown_cid_has_no_device "$(tg-vm-peer dial vsock:77:9999 </dev/null 2>&1)" \
    "tg-vm-peer: vsock:77:9999: No such device"

# The client ends its side first: the server has read everything when it sees the end, and then answers at length.
tg-vm-peer generate 4194304 1 >there
tg-vm-peer generate 4194303 2 >back
start client_first tg-vm-peer listen vsock:any:9001 -- sh -c 'sha256sum | cut -d " " -f 1 >got; cat back'
listening vsock:local:9001
equal half_close_client_first_answer "$(tg-vm-peer dial vsock:local:9001 <there | sum)" "$(sum <back)"
equal half_close_client_first_request "$(cat got)" "$(sum <there)"

# The server ends its side first and goes on reading.
start server_first tg-vm-peer listen vsock:any:9002 -- \
    sh -c 'cat back; tg-vm-peer shutdown; sha256sum | cut -d " " -f 1 >got2; : >got2.whole'
listening vsock:local:9002
equal half_close_server_first_answer "$( (sleep 1; cat there) | tg-vm-peer dial vsock:local:9002 | sum)" "$(sum <back)"
for _ in 1 2 3 4 5 6 7 8 9 10; do [ -e got2.whole ] && break; sleep 0.2; done
equal half_close_server_first_request "$(cat got2)" "$(sum <there)"
