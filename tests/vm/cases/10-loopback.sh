# AF_VSOCK itself, without any program of ours between: what the other cases may rely on.
. /vm/case.sh

serve vsock:any:9000 sh -c 'echo $PEER_CID'
equal peer_cid_on_loopback "$(tg-vm-peer dial vsock:local:9000 </dev/null)" 1

equal closed_port_is_reset "$(tg-vm-peer dial vsock:local:9999 </dev/null 2>&1)" \
    "tg-vm-peer: vsock:local:9999: Connection reset by peer"
equal unknown_cid_has_no_device "$(tg-vm-peer dial vsock:77:9999 </dev/null 2>&1)" \
    "tg-vm-peer: vsock:77:9999: No such device"

# The client ends its side first: the server has read everything when it sees the end, and then answers at length.
tg-vm-peer generate 4194304 1 >there
tg-vm-peer generate 4194303 2 >back
serve vsock:any:9001 sh -c 'sum=$(sha256sum); echo ${sum%% *} >got; cat back'
equal half_close_client_first_answer "$(tg-vm-peer dial vsock:local:9001 <there | sum)" "$(sum <back)"
equal half_close_client_first_request "$(cat got)" "$(sum <there)"

# The server ends its side first and goes on reading.
serve vsock:any:9002 sh -c 'cat back; tg-vm-peer shutdown; sum=$(sha256sum); echo ${sum%% *} >got.part; mv got.part got2'
equal half_close_server_first_answer "$( (sleep 1; cat there) | tg-vm-peer dial vsock:local:9002 | sum)" "$(sum <back)"
appears got2
equal half_close_server_first_request "$(cat got2)" "$(sum <there)"
